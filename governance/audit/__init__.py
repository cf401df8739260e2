"""What is recorded: the events, their sequence and hash chain, and the signed state of the log."""
