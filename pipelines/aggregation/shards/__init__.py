"""Tensor work, by shard of the model: measuring updates, exact sums, chunks of the new model."""
