"""Other systems, run for comparison. One module each; `rounds.py` says what is run, `against_peers.py` runs it."""
