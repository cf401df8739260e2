"""The command line of Fluvial, one verb a module."""
