"""The gate of promotion: what was measured of a variant on one class of processors, against the task's policy. Pure.

A verdict belongs to an artefact, a runtime and a class of processors: the same int8 file is another model on a
processor whose products saturate. What nobody measured is not covered.

| harm of a group shown | bound of every group within its margin, every floor kept | decision |
|---|---|---|
| yes | - | HELD |
| no | yes | PROMOTED; AWAITING where the policy wants operators to sign |
| no | no | UNDECIDED, held unless the policy says `allow` |

A value below its floor counts as harm shown: the variant is HELD. What was not measured at all is UNDECIDED whatever
the policy says: `allow` lets too few examples pass, not none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median_high
from typing import TypeVar

from fluvial.wire.promotion_policy import ERRORS, PromotionPolicy
from governance.promotion.counts import PairedCounts
from governance.promotion.non_inferiority import ALPHA, harm_p_value, holm, upper_bound

RULES = 1
"""Number of these rules: what the same measurements and policy come to. Whoever changes that counts it up: decisions of
before are then told as such, since they cannot be computed again here. `tests/golden/gate.json` holds this program to
it. 0: rules of before they were numbered."""

EVERYBODY = "all"
"""The group of all examples."""

Comparison = tuple[str, str]
"""Metric and group that are compared: ("recall:1", "age:50-80")."""


Reported = TypeVar("Reported", bound="PairedCounts | Measured")


class GroupVerdict(StrEnum):
    """What is known of one group in one metric."""

    WITHIN = "WITHIN"
    HARMED = "HARMED"
    UNDECIDED = "UNDECIDED"


class Decision(StrEnum):
    """What becomes of a variant on a class of processors."""

    PROMOTED = "PROMOTED"
    HELD = "HELD"
    UNDECIDED = "UNDECIDED"
    AWAITING = "AWAITING"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFinding:
    """One metric in one group. drop, bound, margin, value: shares. p_value: of harm, adjusted for all comparisons.
    counts: None for a metric that is no share of right answers, whose drop and bound were measured (`Measured`)."""

    metric: str
    group: str
    counts: PairedCounts | None
    num_examples: int
    value: float
    drop: float
    bound: float
    margin: float
    p_value: float
    verdict: GroupVerdict
    below_floor: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A metric that is no share of right answers (AUC, F1, mean absolute error), from the paired bootstrap: the
    variant's value, the drop in the direction that is worse, in the metric's own unit, its upper 95 % bound, and the
    share of resamples in which nothing was lost, an upper bound of harm's p-value."""

    num_examples: int
    value: float
    drop: float
    bound: float
    p_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The decision, and every comparison behind it, worst first. not_compared: what the policy asks for and the groups
    that there are do not give: too few people, or one class alone where a metric needs two."""

    decision: Decision
    findings: tuple[GroupFinding, ...]
    organisations_missing: int = 0
    not_compared: tuple[Comparison, ...] = ()

    @property
    def worst(self) -> GroupFinding | None:
        return self.findings[0] if self.findings else None


def judge(
    policy: PromotionPolicy,
    comparisons: Mapping[Comparison, PairedCounts | Measured],
    *,
    required: Sequence[Comparison] = (),
    organisations: int = 0,
    least_organisations: int | None = None,
) -> Judgement:
    """Judge one artefact on one runtime and class of processors.

    comparisons: what was measured, by metric and group. required: comparisons that the task declares; one that is
    missing is UNDECIDED with no examples. organisations: distinct participants whose measurements of this class were
    accepted; least_organisations: how many there must be, the policy's number without it."""
    everything = {**dict.fromkeys(required, PairedCounts(both=0, harmed=0, helped=0, neither=0)), **comparisons}
    keys = sorted(everything)
    raw = [_p_value(everything[key]) for key in keys]
    findings = [_finding(policy, key, everything[key], p) for key, p in zip(keys, holm(raw), strict=True)]
    findings.sort(key=lambda finding: (_SEVERITY[finding.verdict], finding.margin - finding.bound, finding.metric))
    least = policy.min_organisations if least_organisations is None else least_organisations
    missing = max(0, least - organisations)
    return Judgement(
        decision=_decision(policy, findings, missing), findings=tuple(findings), organisations_missing=missing
    )


def of_participants(reports: Sequence[Reported], middle: Callable[[list[float]], float] = median_high) -> Reported:
    """One report that stands for those of several participants: the one whose bound is the median. Fewer than half of
    them, whatever they claim, cannot move it beyond what an honest one reported. middle: of an even number the upper
    median, so that half of them cannot let a variant pass; with `median_low` half of them cannot hold it. Raises
    ValueError for none."""
    if not reports:
        raise ValueError("nobody reported")
    bounds = [_bound(report) for report in reports]
    return reports[bounds.index(middle(bounds))]


_SEVERITY = {GroupVerdict.HARMED: 0, GroupVerdict.UNDECIDED: 1, GroupVerdict.WITHIN: 2}


def _p_value(measured: PairedCounts | Measured) -> float:
    return measured.p_value if isinstance(measured, Measured) else harm_p_value(measured)


def _bound(measured: PairedCounts | Measured) -> float:
    return measured.bound if isinstance(measured, Measured) else upper_bound(measured)


def _finding(
    policy: PromotionPolicy, key: Comparison, measured: PairedCounts | Measured, p_value: float
) -> GroupFinding:
    metric, group = key
    margin, floor = policy.margin_of(metric, group), policy.floor_of(metric, group)
    bound = _bound(measured)
    beyond = floor is not None and (measured.value > floor if metric in ERRORS else measured.value < floor)
    below_floor = beyond and measured.num_examples > 0
    if p_value < ALPHA and measured.drop > margin:
        verdict = GroupVerdict.HARMED
    elif measured.num_examples >= policy.min_group and bound <= margin:
        verdict = GroupVerdict.WITHIN
    else:
        verdict = GroupVerdict.UNDECIDED
    return GroupFinding(
        metric=metric,
        group=group,
        counts=None if isinstance(measured, Measured) else measured,
        num_examples=measured.num_examples,
        value=measured.value,
        drop=measured.drop,
        bound=bound,
        margin=margin,
        p_value=p_value,
        verdict=verdict,
        below_floor=below_floor,
    )


def _decision(policy: PromotionPolicy, findings: Sequence[GroupFinding], organisations_missing: int) -> Decision:
    if any(finding.verdict is GroupVerdict.HARMED or finding.below_floor for finding in findings):
        return Decision.HELD
    unmeasured = not findings or any(not finding.num_examples for finding in findings)
    undecided = any(finding.verdict is GroupVerdict.UNDECIDED for finding in findings)
    if unmeasured or organisations_missing or (undecided and policy.undecided == "hold"):
        return Decision.UNDECIDED
    return Decision.AWAITING if policy.operators else Decision.PROMOTED
