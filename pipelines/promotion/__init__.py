"""Promotion: what was measured of a variant, against the task's policy; who may serve, and why."""
