"""Side outputs of the operators of aggregation."""

from __future__ import annotations

from pyflink.datastream import OutputTag

from pipelines.flink.graph import BYTES

TO_MEASURE = OutputTag("to-measure", BYTES)
TO_COMBINE = OutputTag("to-combine", BYTES)
TO_SELECT = OutputTag("to-select", BYTES)
TO_KEEPER = OutputTag("to-keeper", BYTES)
