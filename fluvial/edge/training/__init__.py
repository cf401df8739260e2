"""The built-in trainer. It needs torch, which the client does not install: import its modules only where they are
used."""
