"""Wiring of the audit stage.

events ─▶ sequence ─▶ audit;   audit (committed) ─▶ sign ─▶ checkpoints
"""

from __future__ import annotations

from pyflink.common import Types

from pipelines.audit.operators import Sequence, Sign, one_log
from pipelines.flink.graph import BYTES, Graph


def attach(graph: Graph) -> None:
    """Add the audit stage to a job. Both operators have one subtask: a log has one order and one signer."""
    leaves = (
        graph.source("events")
        .key_by(one_log, Types.STRING())
        .process(Sequence(graph.settings), BYTES)
        .name("sequence")
        .uid("sequence")
        .set_parallelism(1)
    )
    notes = (
        graph.source("audit")
        .key_by(one_log, Types.STRING())
        .process(Sign(graph.settings), BYTES)
        .name("sign")
        .uid("sign")
        .set_parallelism(1)
    )
    graph.emit_in_order(leaves)
    graph.emit_in_order(notes)
