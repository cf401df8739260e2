"""Inference: requests are answered by the newest promoted artefact, which is swapped between two batches."""
