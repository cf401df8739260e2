"""Wiring of the promotion stage.

variants, measurements, registry (tasks) ─▶ promote ─▶ promotions, events
"""

from __future__ import annotations

from pyflink.common import Types
from pyflink.datastream import DataStream

from fluvial.wire.records import Measurement, Variant
from pipelines.flink.graph import BYTES, Graph
from pipelines.flink.messages import key_of
from pipelines.flink.tasks import TaskToMessage
from pipelines.promotion.operators import Promote, SignedToMessage


def attach(graph: Graph) -> None:
    """Add promotion to a job."""
    settings = graph.settings

    def signed(topic: str, kind: type[Variant] | type[Measurement]) -> DataStream:
        message = SignedToMessage(settings, topic, kind)
        return graph.source(topic).flat_map(message, BYTES).name(f"{topic}-to-promotion")

    variants, measurements = signed("variants", Variant), signed("measurements", Measurement)
    tasks = graph.source("registry").flat_map(TaskToMessage(settings), BYTES).name("task-to-promotion")
    graph.emit(
        variants.union(measurements, tasks)
        .key_by(key_of, Types.STRING())
        .process(Promote(settings), BYTES)
        .name("promote")
        .uid("promote")
    )
