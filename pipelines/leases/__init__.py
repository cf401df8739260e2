"""One writer a stage: who holds the stages of a federation, and whether they are alive. Without I/O."""
