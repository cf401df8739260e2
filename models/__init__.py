"""Model maths without I/O: aggregation, architectures, evaluation. Nothing here knows of the engine or of the log."""
