"""Wiring of the validation stage.

updates ───── gathered in Java ─▶ share ─▶ by lane ─┬─▶ validate ─▶ verdicts, quarantine, events; accepted
enrolments ── gathered in Java ──────────▶ by lane ─┼─▶ enrol ────▶ verdicts, quarantine, events, registry
reports ───── gathered in Java ─▶ share ─▶ by lane ─┼─▶ report ───▶ verdicts, quarantine, events, admitted-reports
registry, rounds, variants ── broadcast to all ─────┘
                       share, what is over a share: verdicts, events

Updates are read from the first on that has no verdict, or is to be handed on again; enrolments and reports, which are
few, from the beginning.

`Validate` has one output, which Java parts by kind of bundle: in thread mode, PyFlink 2.3 loses the tag of a side
output that a keyed broadcast function gives from a timer, and parked updates are judged in timers.

Beside it, within a process: chunks that the content check found good are announced to the sums of aggregation
(`pipelines.flink.process_resources` draws the road), which so need not read them again.
"""

from __future__ import annotations

from collections.abc import Mapping

from pyflink.datastream import KeyedStream

from pipelines.flink.bundles import Kind
from pipelines.flink.graph import BYTES, Graph
from pipelines.flink.guard import Form, guarded
from pipelines.validation.committed import read_known
from pipelines.validation.operators.enrol import Enrol
from pipelines.validation.operators.judging import NOTHING_BROADCAST, Mark
from pipelines.validation.operators.report import Report
from pipelines.validation.operators.share import Share
from pipelines.validation.operators.validate import Validate


def attach(graph: Graph) -> None:
    """Add validation to a job. Hands accepted updates on when aggregation is in the same job, else writes them."""
    settings = graph.settings
    topics, starts = settings.topics, read_known(settings, settled=False).starts
    composed = graph.read_in_this_job("accepted")
    registry = graph.source("registry").map(Mark("registry"), BYTES).name("mark-registry")
    rounds = graph.source("rounds").map(Mark("rounds"), BYTES).name("mark-rounds")
    variants = graph.source("variants").map(Mark("variants"), BYTES).name("mark-variants")
    trusted = registry.union(rounds, variants).broadcast(NOTHING_BROADCAST)
    judged = (
        _shared(graph, "updates", starts[topics.updates])
        .connect(trusted)
        .process(guarded(Validate(settings, hands_over=composed), "validate", settings, Form.BUNDLE), BYTES)
        .name("validate")
        .uid("validate-by-lane")
    )
    enrolled = (
        graph.bundled_source("enrolments")
        .connect(trusted)
        .process(guarded(Enrol(settings), "enrol", settings, Form.BUNDLE), BYTES)
        .name("enrol")
        .uid("enrol")
    )
    reported = (
        _shared(graph, "reports")
        .connect(trusted)
        .process(guarded(Report(settings), "report", settings, Form.BUNDLE), BYTES)
        .name("report")
        .uid("report")
    )
    graph.emit(judged)
    graph.emit(enrolled)
    graph.emit(reported)
    if composed:
        graph.hand_over("accepted", graph.unbundled(judged, Kind.MESSAGES))


def _shared(graph: Graph, topic: str, start: Mapping[int, int] | None = None) -> KeyedStream:
    """Bundles of a topic by lane, without what its senders sent beyond their shares, which is refused here."""
    name, settings = f"share-{topic}", graph.settings
    gathered = graph.gathered_source(topic, start, marks_barriers=True)
    shared = gathered.flat_map(guarded(Share(settings, topic), name, settings, Form.BUNDLE), BYTES).name(name)
    graph.emit(graph.of_kind(shared, Kind.SINK))
    return graph.by_lane(shared)
