"""Wiring of the inference stage.

requests ── gathered in Java into batches, by lane ─▶ infer ─▶ results, events
registry, variants, promotions ── followed beside it ─▶ the artefact that serves, swapped between two batches
"""

from __future__ import annotations

from pipelines.flink.graph import BYTES, Graph
from pipelines.flink.guard import Form, guarded
from pipelines.inference.operators import Infer

MAX_BATCH = 64
"""Requests that are gathered before they are answered, over all lanes."""

MAX_DELAY_MS = 2
"""Longest time that a request waits for others."""


def attach(graph: Graph) -> None:
    """Add inference to a job."""
    requests = graph.bundled_source("requests", max_records=MAX_BATCH, max_delay_ms=MAX_DELAY_MS)
    infer = guarded(Infer(graph.settings), "infer", graph.settings, Form.BUNDLE)
    graph.emit(requests.process(infer, BYTES).name("infer").uid("infer"))
