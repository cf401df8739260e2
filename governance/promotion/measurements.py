"""From signed measurements to a judgement: what anybody can compute again who has the records. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from fluvial.wire.acceleration import AccelerationSpec
from fluvial.wire.records import GroupFinding, Measurement
from governance.promotion.counts import PairedCounts
from governance.promotion.judgement import EVERYBODY, Comparison, Judgement, Measured, judge, of_participants
from governance.promotion.reasons import reason

GATE = "gate"
"""What `Measurement.data` says of the task's gate set."""

MAX_FINDINGS = 200
"""Comparisons that a decision spells out, worst first; an audit event holds 32 KiB."""


def judged(spec: AccelerationSpec, reports: Iterable[Measurement]) -> Judgement:
    """The judgement on measurements of one artefact, runtime and class of processors: what anybody can compute again.

    Where a worker measured the gate set, its counts stand for themselves. Participants' reports stand together, as the
    median of their bounds, for comparisons that no worker made.
    """
    reports = list(reports)
    of_workers = [report for report in reports if report.data == GATE]
    of_others = [report for report in reports if report.data != GATE]
    comparisons: dict[Comparison, PairedCounts | Measured] = {}
    counted: dict[Comparison, list[PairedCounts]] = {}
    drawn: dict[Comparison, list[Measured]] = {}
    for report in of_others:
        for counts in report.counts:
            counted.setdefault((counts.metric, counts.group), []).append(_paired(counts))
        for drop in report.drops:
            drawn.setdefault((drop.metric, drop.group), []).append(_measured(drop))
    if not of_workers:
        comparisons.update({key: of_participants(reported) for key, reported in drawn.items()})
        comparisons.update({key: of_participants(reported) for key, reported in counted.items()})
    for report in of_workers:
        comparisons.update({(counts.metric, counts.group): _paired(counts) for counts in report.counts})
        comparisons.update({(drop.metric, drop.group): _measured(drop) for drop in report.drops})
    wanted = {key: value for key, value in comparisons.items() if key[0].partition(":")[0] in spec.policy.metrics}
    required = [(metric, EVERYBODY) for metric in spec.policy.metrics if metric != "recall"]
    organisations = len({report.measurer for report in of_others})
    return judge(spec.policy, wanted, required=required if of_workers else (), organisations=organisations)


def in_words(spec: AccelerationSpec, variant: str, judgement: Judgement) -> str:
    """The judgement's reason, with the names that the task gives to classes and groups."""
    return reason(
        variant,
        judgement,
        class_name=lambda label: spec.class_names.get(label, label),
        group_name=lambda group: spec.group_names.get(group, group),
        operators=spec.policy.operators,
    )


def findings(judgement: Judgement) -> tuple[GroupFinding, ...]:
    """The comparisons behind a judgement, as a decision records them: the worst MAX_FINDINGS."""
    return tuple(
        GroupFinding(
            metric=finding.metric,
            group=finding.group,
            num_examples=finding.num_examples,
            harmed=-1 if finding.counts is None else finding.counts.harmed,
            helped=-1 if finding.counts is None else finding.counts.helped,
            value=finding.value,
            drop=finding.drop,
            bound=finding.bound,
            margin=finding.margin,
            p_value=finding.p_value,
            verdict=finding.verdict.value,
        )
        for finding in judgement.findings[:MAX_FINDINGS]
    )


def _paired(counts: object) -> PairedCounts:
    return PairedCounts(**{name: getattr(counts, name) for name in ("both", "harmed", "helped", "neither")})


def _measured(drop: object) -> Measured:
    names = ("num_examples", "value", "drop", "bound", "p_value")
    return Measured(**{name: getattr(drop, name) for name in names})
