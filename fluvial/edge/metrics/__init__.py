"""Metrics of predictions, in numpy: by name, overall and by group."""

from fluvial.edge.metrics.measure import GroupMetrics, Measured, measure, measure_groups
from fluvial.wire.task_code import metric_name

__all__ = ["GroupMetrics", "Measured", "measure", "measure_groups", "metric_name"]
