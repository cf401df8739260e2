"""Verbs that the checkout adds to the command `fluvial`, one a file (entry points in deploy/pyproject.toml)."""
