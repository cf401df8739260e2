"""Measurements of a real stack on this machine: aggregation of large updates, validation of small ones.

What each figure means, and how to run them: tests/benchmarks/README.md.
"""
