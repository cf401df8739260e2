"""Wiring of the validation stage.

updates, enrolments ─ keyed by claimed participant ─┬─▶ verdicts, quarantine, events, registry
registry, rounds ──── broadcast ────────────────────┴─▶ accepted
"""

from __future__ import annotations

from pyflink.common import Types

from pipelines.flink.graph import BYTES, Graph
from pipelines.validation.operators import (
    ACCEPTED,
    TRUSTED,
    AcceptedToFrame,
    Enrol,
    MarkRegistry,
    MarkRounds,
    Split,
    Validate,
    claimed_participant,
)


def attach(graph: Graph) -> None:
    """Add validation to a job. Hands accepted updates on when aggregation is in the same job, else writes them."""
    settings = graph.settings
    registry = graph.source("registry").map(MarkRegistry(), BYTES).name("mark-registry")
    rounds = graph.source("rounds").map(MarkRounds(), BYTES).name("mark-rounds")
    trusted = registry.union(rounds).broadcast(TRUSTED)
    judged = (
        graph.source("updates")
        .key_by(claimed_participant, Types.STRING())
        .connect(trusted)
        .process(Validate(settings), BYTES)
        .name("validate")
        .uid("validate")
        .process(Split(), BYTES)
        .name("split")
    )
    enrolled = (
        graph.source("enrolments")
        .key_by(claimed_participant, Types.STRING())
        .connect(trusted)
        .process(Enrol(settings), BYTES)
        .name("enrol")
        .uid("enrol")
    )
    graph.emit(judged)
    graph.emit(enrolled)
    accepted = judged.get_side_output(ACCEPTED)
    if graph.read_in_this_job("accepted"):
        graph.hand_over("accepted", accepted)
    else:
        graph.emit(accepted.map(AcceptedToFrame(settings.topics), BYTES).name("accepted-to-frame"))
