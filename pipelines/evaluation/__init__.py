"""Evaluation: each published model is measured by an inference step in the stream."""
