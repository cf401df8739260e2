"""Model maths: aggregation, evaluation, acceleration, and attacks to try rules on.

Nothing here knows of the engine or of the log."""
