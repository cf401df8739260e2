"""Acceleration: variants of each published model, built and measured in a process of its own."""
