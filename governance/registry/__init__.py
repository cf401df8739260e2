"""The registry: who may sign which of its records, and how a participant enters it."""
