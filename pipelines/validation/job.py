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
    Enrol,
    Mark,
    Split,
    Validate,
    claimed_participant,
)


def attach(graph: Graph) -> None:
    """Add validation to a job. Hands accepted updates on when aggregation is in the same job, else writes them."""
    settings = graph.settings
    composed = graph.read_in_this_job("accepted")
    registry = graph.source("registry").map(Mark("registry"), BYTES).name("mark-registry")
    rounds = graph.source("rounds").map(Mark("rounds"), BYTES).name("mark-rounds")
    trusted = registry.union(rounds).broadcast(TRUSTED)
    judged = (
        graph.source("updates")
        .key_by(claimed_participant, Types.STRING())
        .connect(trusted)
        .process(Validate(settings), BYTES)
        .name("validate")
        .uid("validate")
        .process(Split(None if composed else settings.topics.accepted), BYTES)
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
    if composed:
        graph.hand_over("accepted", judged.get_side_output(ACCEPTED))
