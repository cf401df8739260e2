"""Wiring of the validation stage.

updates ───── gathered in Java into bundles, by lane ─┬─▶ validate ─▶ verdicts, quarantine, events; accepted
enrolments ── likewise ───────────────────────────────┼─▶ enrol ────▶ verdicts, quarantine, events, registry
reports ── likewise ──────────────────────────────────┼─▶ report ───▶ verdicts, quarantine, events, admitted-reports
registry, rounds, variants ── broadcast to all ───────┘

Updates are read from the first on that has no verdict, or is to be handed on again; enrolments and reports, which are
few, from the beginning.

`Validate` has one output, which Java parts by kind of bundle: in thread mode, PyFlink 2.3 loses the tag of a side
output that a keyed broadcast function gives from a timer, and parked updates are judged in timers.

Beside it, within a process: chunks that the content check found good are announced to the sums of aggregation
(`pipelines.flink.process_resources` draws the road), which so need not read them again.
"""

from __future__ import annotations

from pipelines.flink.bundles import Kind
from pipelines.flink.graph import BYTES, Graph
from pipelines.flink.guard import Form, guarded
from pipelines.validation.committed import read_known
from pipelines.validation.operators.enrol import Enrol
from pipelines.validation.operators.judging import NOTHING_BROADCAST, Mark
from pipelines.validation.operators.report import Report
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
        graph.bundled_source("updates", start=starts[topics.updates])
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
        graph.bundled_source("reports")
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
