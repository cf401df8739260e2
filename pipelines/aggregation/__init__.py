"""Aggregation: windows of accepted updates become published models."""
