"""Rounds and models of a task: which updates a round takes, when it closes, what it publishes."""
