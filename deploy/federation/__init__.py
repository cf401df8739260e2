"""A federation as its operator has it: the data directory, keys, ids, and what in it needs a person."""
