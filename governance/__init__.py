"""Who may contribute, and what is recorded. Pure: no engine, no broker, no clock, no files."""
