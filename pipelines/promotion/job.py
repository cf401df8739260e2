"""Wiring of the promotion stage.

variants, measurements, admitted-reports, operator-acts, registry (tasks) ─▶ promote ─▶ promotions, events
"""

from __future__ import annotations

from pyflink.common import Types
from pyflink.datastream import DataStream

from fluvial.wire.records import Measurement, Variant
from pipelines.flink.graph import BYTES, Graph
from pipelines.flink.guard import Form, guarded
from pipelines.flink.messages import key_of
from pipelines.flink.tasks import TaskToMessage
from pipelines.promotion.operators import ActToMessage, AdmittedToMessage, Promote, SignedToMessage


def attach(graph: Graph) -> None:
    """Add promotion to a job."""
    settings = graph.settings

    def signed(topic: str, kind: type[Variant] | type[Measurement]) -> DataStream:
        name = f"{topic}-to-promotion"
        message = guarded(SignedToMessage(settings, topic, kind), name, settings, Form.RECORD)
        return graph.source(topic).flat_map(message, BYTES).name(name)

    variants, measurements = signed("variants", Variant), signed("measurements", Measurement)
    reports = (
        graph.source("admitted_reports")
        .flat_map(guarded(AdmittedToMessage(settings), "report-to-promotion", settings, Form.RECORD), BYTES)
        .name("report-to-promotion")
    )
    acts = (
        graph.source("operator_acts")
        .flat_map(guarded(ActToMessage(settings), "act-to-promotion", settings, Form.RECORD), BYTES)
        .name("act-to-promotion")
    )
    tasks = (
        graph.source("registry")
        .flat_map(guarded(TaskToMessage(settings), "task-to-promotion", settings, Form.RECORD), BYTES)
        .name("task-to-promotion")
    )
    graph.emit(
        variants.union(measurements, reports, acts, tasks)
        .key_by(key_of, Types.STRING())
        .process(guarded(Promote(settings), "promote", settings, Form.MESSAGE), BYTES)
        .name("promote")
        .uid("promote")
    )
