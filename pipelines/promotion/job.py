"""Wiring of the promotion stage.

variants, measurements, admitted-reports, operator-acts, registry (tasks) ─▶ promote ─▶ promotions, events
"""

from __future__ import annotations

from fluvial.wire.records import Measurement, Variant
from pipelines.flink.graph import Graph
from pipelines.flink.tasks import TaskToMessage
from pipelines.promotion.operators import ActToMessage, AdmittedToMessage, Promote, SignedToMessage


def attach(graph: Graph) -> None:
    """Add promotion to a job."""
    settings = graph.settings
    variants = graph.messages("variants", "variants-to-promotion", SignedToMessage(settings, "variants", Variant))
    of_measurements = SignedToMessage(settings, "measurements", Measurement)
    measurements = graph.messages("measurements", "measurements-to-promotion", of_measurements)
    reports = graph.messages("admitted_reports", "report-to-promotion", AdmittedToMessage(settings))
    acts = graph.messages("operator_acts", "act-to-promotion", ActToMessage(settings))
    tasks = graph.messages("registry", "task-to-promotion", TaskToMessage(settings))
    graph.emit(graph.process(variants.union(measurements, reports, acts, tasks), "promote", Promote(settings)))
