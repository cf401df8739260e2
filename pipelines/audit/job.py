"""Wiring of the audit stage.

events ─▶ sequence ─▶ audit;   audit (committed) ─▶ sign ─▶ checkpoints

A job without state reads `events` on behind the newest leaf, and `audit` behind the newest checkpoint.
"""

from __future__ import annotations

from pipelines.audit.committed_log import CommittedLog
from pipelines.audit.operators import LOG, Sequence, Sign
from pipelines.flink.graph import BYTES, Graph
from pipelines.flink.guard import Form, guarded


def attach(graph: Graph) -> None:
    """Add the audit stage to a job. Both operators have one subtask: a log has one order and one signer."""
    committed = CommittedLog(graph.settings)
    log = committed.view(remember=1)
    committed.check_events(log)
    leaves = (
        graph.bundled_source("events", [LOG], log.next_events)
        .process(guarded(Sequence(graph.settings), "sequence", graph.settings, Form.BUNDLE), BYTES)
        .name("sequence")
        .uid("sequence")
        .set_parallelism(1)
    )
    notes = (
        graph.bundled_source("audit", [LOG], log.next_leaves)
        .process(Sign(graph.settings), BYTES)
        .name("sign")
        .uid("sign")
        .set_parallelism(1)
    )
    graph.emit(leaves)
    graph.emit(notes)
