"""Flink functions that perform what the modules above decide."""
