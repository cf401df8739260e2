"""How good a model is: batched inference and metrics."""
