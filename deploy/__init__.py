"""Running Fluvial from a checkout: the embedded stack, and the verbs of the command line that need it."""
