"""From signed measurements to a judgement: what anybody can compute again who has the records. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from statistics import median_high, median_low

from fluvial.wire.acceleration import AccelerationSpec
from fluvial.wire.records import GroupFinding, Measurement
from governance.promotion.counts import PairedCounts
from governance.promotion.judgement import (
    EVERYBODY,
    Comparison,
    Decision,
    Judgement,
    Measured,
    judge,
    of_participants,
)
from governance.promotion.reasons import reason

GATE = "gate"
"""What `Measurement.data` says of the task's gate set."""

MAX_FINDINGS = 200
"""Comparisons that a decision spells out, worst first; fewer where they do not fit an event (`recorded`)."""

MAX_MEASURERS = 500
"""Participants whose measurements of one artefact, runtime and class count, the first: a decision names the digest of
each, and an event of the audit log holds 32 KiB. A median of more would tell no more."""


LEAST_ORGANISATIONS = 2
"""Participants that must have measured what no worker did: nobody promotes a variant alone."""


def judged(spec: AccelerationSpec, reports: Iterable[Measurement]) -> Judgement:
    """The judgement on measurements of one artefact, runtime and class of processors: what anybody can compute again.

    Where a worker measured the gate set, its counts stand for themselves. Participants' reports stand together, as the
    median of their bounds, for comparisons that no worker made. Every metric of the policy must have been measured of
    everybody, recall of at least one class; of participants by as many as the policy says, and by two at the least.
    That many, and more than half of them, must have shown harm before they hold a variant: one alone cannot.
    """
    reports = list(reports)
    of_workers = [report for report in reports if report.data == GATE]
    of_others = [report for report in reports if report.data != GATE]
    asked = _organisations(spec, of_others, alone=not of_workers)
    if of_workers:
        return _judged(spec, _together(map(_compared, of_workers)), asked)
    careful = _judged(spec, _median(of_others, median_high), asked)
    if careful.decision is not Decision.HELD:
        return careful
    # To hold is for good: of one comparison it takes as many as to promote, and more than half of them.
    sure = _judged(spec, _median(of_others, median_low, asked["least_organisations"]), asked)
    return sure if sure.decision is Decision.HELD else replace(careful, decision=Decision.UNDECIDED)


_Comparisons = dict[Comparison, PairedCounts | Measured]


def _judged(spec: AccelerationSpec, comparisons: _Comparisons, organisations: dict[str, int]) -> Judgement:
    metrics = spec.policy.metrics
    wanted = {key: value for key, value in comparisons.items() if _kind(key[0]) in metrics}
    measured = {_kind(metric) for metric, group in wanted if group == EVERYBODY}
    missing = [(metric, EVERYBODY) for metric in metrics if metric not in measured]
    judgement = judge(spec.policy, wanted, required=missing, **organisations)
    groups = {group for _, group in comparisons}
    of_everybody = {metric for metric, group in wanted if group == EVERYBODY}
    absent = {(metric, group) for metric in of_everybody for group in groups} - wanted.keys()
    return replace(judgement, not_compared=tuple(sorted(absent)))


def _together(parts: Iterable[_Comparisons]) -> _Comparisons:
    return {key: found for part in parts for key, found in part.items()}


def _median(reports: Iterable[Measurement], middle: Callable[[list[float]], float], least: int = 1) -> _Comparisons:
    """least: reports that there must be of a comparison."""
    by_place: dict[Comparison, list[PairedCounts | Measured]] = {}
    for report in reports:
        for key, found in _compared(report).items():
            by_place.setdefault(key, []).append(found)
    return {key: of_participants(reported, middle) for key, reported in by_place.items() if len(reported) >= least}


def _organisations(spec: AccelerationSpec, reports: list[Measurement], *, alone: bool) -> dict[str, int]:
    """How many participants measured, and how many must have. alone: no worker did; then each metric needs as many."""
    reporters = {
        metric: {
            report.measurer
            for report in reports
            if any(_kind(key[0]) == metric and key[1] == EVERYBODY for key in _compared(report))
        }
        for metric in spec.policy.metrics
    }
    if alone:
        least = max(LEAST_ORGANISATIONS, spec.policy.min_organisations)
        return {"organisations": min(map(len, reporters.values())), "least_organisations": least}
    return {
        "organisations": len(set().union(*reporters.values())),
        "least_organisations": spec.policy.min_organisations,
    }


def _compared(report: Measurement) -> dict[Comparison, PairedCounts | Measured]:
    counted = {(counts.metric, counts.group): _paired(counts) for counts in report.counts}
    return {**counted, **{(drop.metric, drop.group): _measured(drop) for drop in report.drops}}


def _kind(metric: str) -> str:
    """The policy's name of a metric: recall of `recall:1`."""
    return metric.partition(":")[0]


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
