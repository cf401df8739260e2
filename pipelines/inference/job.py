"""Wiring of the inference stage.

requests ── gathered in Java into batches, by lane ─▶ infer ─▶ results, events
registry, variants, promotions ── followed beside it ─▶ the artefact that serves, swapped between two batches

How long requests are gathered, and how many, is taken from the tasks of the registry when the job is submitted. There
is one lane for each slot: with more, each batch would be parted for nothing. A job without state begins with the
requests of the last minutes; older ones have nobody who still waits.
"""

from __future__ import annotations

import time

from pipelines.flink import log_reader
from pipelines.flink.graph import BYTES, Graph
from pipelines.flink.guard import Form, guarded
from pipelines.inference.gathering import gathering, tasks_of
from pipelines.inference.operators import Infer

LOOK_BACK_MS = 600_000
"""How old a request may be that a job without state looks at, beside the longest deadline of the tasks."""


def attach(graph: Graph) -> None:
    """Add inference to a job. Raises LogUnreadable."""
    settings = graph.settings
    registry = log_reader.read_to_end(settings.brokers, settings.topics.registry)
    keys = bytes.fromhex(settings.operator_key), bytes.fromhex(settings.registrar_key)
    tasks = tasks_of(registry, *keys, settings.topics.scope)
    found = gathering(tasks)
    since_ms = int(time.time() * 1000) - LOOK_BACK_MS - found.longest_deadline_ms
    requests = graph.bundled_source(
        "requests",
        start=log_reader.offsets_at(settings.brokers, settings.topics.requests, since_ms),
        num_lanes=settings.parallelism,
        max_records=found.max_requests * settings.parallelism,
        max_delay_ms=found.max_delay_ms,
        for_answers=True,
    )
    infer = guarded(Infer(settings), "infer", settings, Form.BUNDLE)
    graph.emit(requests.process(infer, BYTES).name("infer").uid("infer"))
