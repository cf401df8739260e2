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

from pyflink.datastream import DataStream, KeyedProcessFunction

from pipelines.aggregation.operators.collect import CollectRound
from pipelines.aggregation.operators.keep import KeepTask
from pipelines.aggregation.operators.select import Select
from pipelines.aggregation.operators.shards import Combine, Measure
from pipelines.aggregation.operators.side_outputs import TO_COMBINE, TO_KEEPER, TO_MEASURE, TO_SELECT
from pipelines.aggregation.operators.sources import AcceptedToMessage, RoundToMessage
from pipelines.flink.graph import BYTES, Graph
from pipelines.flink.guard import Form, guarded
from pipelines.flink.tasks import TaskToMessage


def attach(graph: Graph) -> None:
    """Add aggregation to a job. Takes accepted updates from validation of the same job, else from their topic."""
    settings = graph.settings
    accepted = graph.handed_over("accepted")
    if accepted is None:
        accepted = (
            graph.source("accepted")
            .flat_map(guarded(AcceptedToMessage(), "accepted-to-message", settings, Form.RECORD), BYTES)
            .name("accepted-to-message")
        )
    rounds = (
        graph.source("rounds")
        .flat_map(guarded(RoundToMessage(settings), "round-to-message", settings, Form.RECORD), BYTES)
        .name("round-to-message")
    )
    tasks = (
        graph.source("registry")
        .flat_map(guarded(TaskToMessage(settings), "task-to-message", settings, Form.RECORD), BYTES)
        .name("task-to-message")
    )

    def keyed(name: str, operator: KeyedProcessFunction, messages: DataStream) -> DataStream:
        operator = guarded(operator, name, settings, Form.MESSAGE)
        return graph.keyed(messages).process(operator, BYTES).name(name).uid(name)

    collected = keyed("collect", CollectRound(settings), accepted.union(rounds))
    measured = keyed("measure", Measure(settings), graph.side_output(collected, TO_MEASURE))
    selected = keyed("select", Select(settings), graph.side_output(collected, TO_SELECT).union(measured))
    combined = keyed("combine", Combine(settings), graph.side_output(collected, TO_COMBINE).union(selected))
    to_keeper = graph.side_output(selected, TO_KEEPER), graph.side_output(collected, TO_KEEPER), tasks
    kept = keyed("keep", KeepTask(settings), combined.union(*to_keeper))
    graph.emit(collected)
    graph.emit(kept)
