"""Wiring of the aggregation stage.

accepted, rounds ─▶ collect ─┬─▶ measure ─▶ select ─▶ combine ─▶ keep ─▶ models, rounds, receipts, events
registry (tasks) ────────────┼──────────────────────────────────▲
                             └─ begin, add (linear rules) ─▶ combine

A second road, within a process: where validation's content check reads a chunk of a round whose rule adds updates as
they come, it announces it to the shards that work there (`pipelines.flink.process_resources` draws the road), and
`combine` has it in the sum before the window says a word (`shards.early_sums`). Only `combine` decides what counts: it
is told the full selection, and makes up the difference.

Started without state, `collect` and `keep` go on from what is committed (`committed`): rounds, models, registry,
verdicts and receipts.
"""

from __future__ import annotations

from pipelines.aggregation.operators.collect import CollectRound
from pipelines.aggregation.operators.keep import KeepTask
from pipelines.aggregation.operators.select import Select
from pipelines.aggregation.operators.shards import Combine, Measure
from pipelines.aggregation.operators.side_outputs import TO_COMBINE, TO_KEEPER, TO_MEASURE, TO_SELECT
from pipelines.aggregation.operators.sources import AcceptedToMessage, RoundToMessage
from pipelines.flink.graph import Graph
from pipelines.flink.tasks import TaskToMessage


def attach(graph: Graph) -> None:
    """Add aggregation to a job. Takes accepted updates from validation of the same job, else from their topic."""
    settings = graph.settings
    accepted = graph.handed_over("accepted")
    if accepted is None:
        accepted = graph.messages("accepted", "accepted-to-message", AcceptedToMessage())
    rounds = graph.messages("rounds", "round-to-message", RoundToMessage(settings))
    tasks = graph.messages("registry", "task-to-message", TaskToMessage(settings))

    collected = graph.process(accepted.union(rounds), "collect", CollectRound(settings))
    measured = graph.process(graph.side_output(collected, TO_MEASURE), "measure", Measure(settings))
    to_select = graph.side_output(collected, TO_SELECT).union(measured)
    selected = graph.process(to_select, "select", Select(settings))
    to_combine = graph.side_output(collected, TO_COMBINE).union(selected)
    combined = graph.process(to_combine, "combine", Combine(settings))
    to_keeper = graph.side_output(selected, TO_KEEPER), graph.side_output(collected, TO_KEEPER), tasks
    kept = graph.process(combined.union(*to_keeper), "keep", KeepTask(settings))
    graph.emit(collected)
    graph.emit(kept)
