"""One task's promotions: measurements in, decisions out. Pure.

A decision is made for each (version, variant, runtime, class of processors), when a worker has measured it on the gate
set or enough participants on their own data, and again when what it rests on has changed the outcome. Decisions are
numbered without gaps. The same records in any order between two decisions give the same decision, and a record that
comes again changes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from fluvial.wire.acceleration import AccelerationSpec
from fluvial.wire.records import GroupFinding, Measurement, Promotion, PromotionDecision, Variant
from governance.promotion.counts import PairedCounts
from governance.promotion.judgement import EVERYBODY, Comparison, Judgement, Measured, judge, of_participants
from governance.promotion.reasons import reason

Subject = tuple[int, str, str, str]
"""Version, variant, runtime and class of processors: what a decision is about."""

MAX_FINDINGS = 200
"""Comparisons that a decision spells out, worst first; an audit event holds 32 KiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPromotions:
    """What is known of one task. variants: by version and name. measurements: by subject, then by measurer, with the
    digest of its record. decided: the newest decision of each subject."""

    spec: AccelerationSpec | None = None
    variants: dict[tuple[int, str], Variant] = field(default_factory=dict)
    measurements: dict[Subject, dict[str, tuple[bytes, Measurement]]] = field(default_factory=dict)
    decided: dict[Subject, Promotion] = field(default_factory=dict)
    sequence: int = 0
    gate_uses: int = 0


def with_spec(state: TaskPromotions, spec: AccelerationSpec | None) -> TaskPromotions:
    """After the task's record."""
    return replace(state, spec=spec)


def with_variant(state: TaskPromotions, variant: Variant) -> TaskPromotions:
    """After a variant; of one that comes again the first stands."""
    key = variant.version, variant.name
    return state if key in state.variants else replace(state, variants={**state.variants, key: variant})


def with_promotion(state: TaskPromotions, promotion: Promotion) -> TaskPromotions:
    """After a decision that the log holds."""
    subject = promotion.version, promotion.variant, promotion.runtime, promotion.processor
    return replace(
        state,
        decided={**state.decided, subject: promotion},
        sequence=max(state.sequence, promotion.sequence),
        gate_uses=max(state.gate_uses, promotion.gate_uses),
    )


def with_measurement(state: TaskPromotions, measurement: Measurement, sha256: bytes) -> TaskPromotions:
    """After a measurement that was admitted; one for each measurer and subject, the first stands."""
    subject = measurement.version, measurement.variant, measurement.runtime, measurement.processor
    known = state.measurements.get(subject, {})
    if measurement.measurer in known:
        return state
    after = {**known, measurement.measurer: (sha256, measurement)}
    return replace(state, measurements={**state.measurements, subject: after})


def decide(state: TaskPromotions, now_ms: int) -> tuple[TaskPromotions, list[Promotion]]:
    """The decisions that are due."""
    decisions = []
    for subject in sorted(state.measurements):
        promotion = _decision(state, subject, now_ms)
        if promotion is not None:
            decisions.append(promotion)
            state = with_promotion(state, promotion)
    return state, decisions


def _decision(state: TaskPromotions, subject: Subject, now_ms: int) -> Promotion | None:
    version, name, runtime, processor = subject
    spec, variant = state.spec, state.variants.get((version, name))
    if spec is None or variant is None or spec.variant(name) is None:
        return None
    before = state.decided.get(subject)
    if before is not None and before.decision is not PromotionDecision.UNDECIDED:
        return None
    reports = {
        measurer: report
        for measurer, report in state.measurements[subject].items()
        if report[1].artefact_sha256 == variant.artefact_sha256
    }
    digests = tuple(sorted(sha256 for sha256, _ in reports.values()))
    if not reports or (before is not None and before.measurements == digests):
        return None
    judgement = judged(spec, [report for _, report in reports.values()])
    return Promotion(
        task=variant.task,
        sequence=state.sequence + 1,
        version=version,
        model_digest=variant.model_digest,
        variant=name,
        artefact_sha256=variant.artefact_sha256,
        runtime=runtime,
        processor=processor,
        decision=PromotionDecision(judgement.decision.value),
        reason=reason(
            name,
            judgement,
            class_name=lambda label: spec.class_names.get(label, label),
            group_name=lambda group: spec.group_names.get(group, group),
        ),
        policy_sha256=spec.policy.digest(),
        measurements=digests,
        findings=findings(judgement)[:MAX_FINDINGS],
        gate_uses=state.gate_uses + 1,
        signers=(),
        created_ms=now_ms,
    )


def judged(spec: AccelerationSpec, reports: Iterable[Measurement]) -> Judgement:
    """The judgement on measurements of one artefact, runtime and class of processors: what anybody can compute again.

    Where a worker measured the gate set, its counts stand for themselves. Participants' reports stand together, as the
    median of their bounds, for comparisons that no worker made.
    """
    reports = list(reports)
    of_workers = [report for report in reports if report.data == "gate"]
    of_others = [report for report in reports if report.data != "gate"]
    comparisons: dict[Comparison, PairedCounts | Measured] = {}
    by_comparison: dict[Comparison, list[PairedCounts]] = {}
    for report in of_others:
        for counts in report.counts:
            by_comparison.setdefault((counts.metric, counts.group), []).append(_paired(counts))
    if not of_workers:
        comparisons.update({key: of_participants(counts) for key, counts in by_comparison.items()})
    for report in of_workers:
        comparisons.update({(counts.metric, counts.group): _paired(counts) for counts in report.counts})
        comparisons.update({(drop.metric, drop.group): _measured(drop) for drop in report.drops})
    wanted = {key: value for key, value in comparisons.items() if key[0].partition(":")[0] in spec.policy.metrics}
    required = [(metric, EVERYBODY) for metric in spec.policy.metrics if metric != "recall"]
    organisations = len({report.measurer for report in of_others})
    return judge(spec.policy, wanted, required=required if of_workers else (), organisations=organisations)


def findings(judgement: Judgement) -> tuple[GroupFinding, ...]:
    """The comparisons behind a judgement, as a decision records them."""
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
        for finding in judgement.findings
    )


def _paired(counts: object) -> PairedCounts:
    return PairedCounts(**{name: getattr(counts, name) for name in ("both", "harmed", "helped", "neither")})


def _measured(drop: object) -> Measured:
    names = ("num_examples", "value", "drop", "bound", "p_value")
    return Measured(**{name: getattr(drop, name) for name in names})
