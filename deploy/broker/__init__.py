"""The embedded broker: its process and configuration, and the topics of a federation on any broker."""
