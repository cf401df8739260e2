"""Wiring of the inference stage.

requests ── gathered in Java into batches, by lane ─▶ infer ─▶ results, events
registry, variants, promotions ── followed beside it ─▶ the artefact that serves, swapped between two batches

How long requests are gathered, and how many, is taken from the tasks of the registry when the job is submitted.
"""

from __future__ import annotations

from pipelines.flink import log_reader
from pipelines.flink.graph import BYTES, Graph
from pipelines.flink.guard import Form, guarded
from pipelines.inference.gathering import gathering, tasks_of
from pipelines.inference.operators import Infer


def attach(graph: Graph) -> None:
    """Add inference to a job. Raises LogUnreadable."""
    settings = graph.settings
    registry = log_reader.read_to_end(settings.brokers, settings.topics.registry)
    tasks = tasks_of(registry, bytes.fromhex(settings.operator_key), bytes.fromhex(settings.registrar_key))
    found = gathering(tasks)
    requests = graph.bundled_source("requests", max_records=found.max_requests, max_delay_ms=found.max_delay_ms)
    infer = guarded(Infer(settings), "infer", settings, Form.BUNDLE)
    graph.emit(requests.process(infer, BYTES).name("infer").uid("infer"))
