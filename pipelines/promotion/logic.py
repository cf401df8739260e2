"""One task's promotions: measurements and operators' acts in, decisions out. Pure.

A decision is made for each (version, variant, runtime, class of processors), when a worker has measured it on the gate
set or enough participants on their own data, and again when what it rests on has changed the outcome; and when
operators have signed what shall become of one. Decisions are numbered without gaps. The same records in any order
between two decisions give the same decision, and a record that comes again changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from fluvial.identity.envelope import verify_envelope
from fluvial.wire.acceleration import AccelerationSpec
from fluvial.wire.records import (
    Envelope,
    Measurement,
    OperatorAct,
    OperatorStep,
    Promotion,
    PromotionDecision,
    Variant,
)
from governance.promotion.acts import SignedAct, fits, followed
from governance.promotion.judgement import RULES, Decision
from governance.promotion.measurements import GATE, MAX_MEASURERS, findings, in_words, judged
from governance.promotion.recorded import recorded

Subject = tuple[int, str, str, str]
"""Version, variant, runtime and class of processors: what a decision is about."""

_FINAL = frozenset({PromotionDecision.HELD, PromotionDecision.ROLLED_BACK})
"""What the gate decides upon no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPromotions:
    """What is known of one task. variants: by version and name. measurements: by subject, then by data and measurer,
    with the digest of their record. looked_at: what was judged last of each subject. decided: the newest decision of
    each subject. operators: who may act now, and their keys. acts: of these alone, whose signature was verified, by
    decision, operator and step; the first of each stands. due: the subjects on which something may have to be decided;
    None for all. A task has more of them with each version, and a record concerns few."""

    spec: AccelerationSpec | None = None
    operators: dict[str, bytes] = field(default_factory=dict)
    variants: dict[tuple[int, str], Variant] = field(default_factory=dict)
    measurements: dict[Subject, dict[tuple[str, str], tuple[bytes, Measurement]]] = field(default_factory=dict)
    looked_at: dict[Subject, tuple[bytes, ...]] = field(default_factory=dict)
    decided: dict[Subject, Promotion] = field(default_factory=dict)
    acts: dict[int, dict[tuple[str, OperatorStep], SignedAct]] = field(default_factory=dict)
    sequence: int = 0
    gate_uses: int = 0
    due: frozenset[Subject] | None = None


def with_spec(state: TaskPromotions, spec: AccelerationSpec | None, federation_operator: bytes) -> TaskPromotions:
    """After the task's record. federation_operator: the public key of who may act where the terms name nobody. What was
    signed with a key that the terms name no more is forgotten, also what still waits for others to sign."""
    keys = {} if spec is None else spec.policy.keys_of_operators(federation_operator)
    if keys == state.operators:
        return replace(state, spec=spec, due=state.due if spec == state.spec else None)
    stay = {name for name, key in keys.items() if state.operators.get(name) == key}
    acts = {
        sequence: {place: signed for place, signed in of_decision.items() if place[0] in stay}
        for sequence, of_decision in state.acts.items()
    }
    return replace(state, spec=spec, operators=keys, acts=acts, due=None)


def with_act(state: TaskPromotions, sha256: bytes, envelope: Envelope, act: OperatorAct) -> TaskPromotions:
    """After an act; one that none of the task's operators signed changes nothing. sha256: of the whole record."""
    key = state.operators.get(act.operator)
    known = state.acts.get(act.promotion, {})
    place = act.operator, act.step
    if key is None or place in known or not verify_envelope(envelope, key):
        return state
    state = replace(state, acts={**state.acts, act.promotion: {**known, place: (sha256, act)}})
    return _due(state, [subject for subject, made in state.decided.items() if made.sequence == act.promotion])


def with_variant(state: TaskPromotions, variant: Variant) -> TaskPromotions:
    """After a variant; of one that comes again the first stands."""
    key = variant.version, variant.name
    if key in state.variants:
        return state
    state = replace(state, variants={**state.variants, key: variant})
    return _due(state, [subject for subject in state.measurements if subject[:2] == key])


def with_promotion(state: TaskPromotions, promotion: Promotion) -> TaskPromotions:
    """After a decision that the log holds."""
    subject = promotion.version, promotion.variant, promotion.runtime, promotion.processor
    known = state.decided.get(subject)
    if known is not None and known.sequence >= promotion.sequence:
        return state
    state = replace(
        state,
        decided={**state.decided, subject: promotion},
        sequence=max(state.sequence, promotion.sequence),
        gate_uses=max(state.gate_uses, promotion.gate_uses),
    )
    return _due(state, [subject])


def with_measurement(state: TaskPromotions, measurement: Measurement, sha256: bytes) -> TaskPromotions:
    """After a worker's measurement, or a participant's that was admitted; one for each measurer and subject, the first
    stands, and of a subject the first MAX_MEASURERS of participants. A participant may have a worker's name; its data
    is its own."""
    subject = measurement.version, measurement.variant, measurement.runtime, measurement.processor
    known = state.measurements.get(subject, {})
    measurer = measurement.data, measurement.measurer
    if measurer in known or (measurement.data != GATE and len(known) >= MAX_MEASURERS):
        return state
    after = {**known, measurer: (sha256, measurement)}
    return _due(replace(state, measurements={**state.measurements, subject: after}), [subject])


def decide(state: TaskPromotions, now_ms: int) -> tuple[TaskPromotions, list[Promotion]]:
    """The decisions that are due: of the gate, and of operators."""
    decisions: list[Promotion] = []
    due, again = sorted({*state.measurements, *state.decided} if state.due is None else state.due), set()
    for subject in due:
        state, promotion = _decision(state, subject, now_ms) if subject in state.measurements else (state, None)
        if promotion is not None:
            decisions.append(promotion)
            state = with_promotion(state, promotion)
    for subject in due:
        acted = _acted(state, state.decided[subject], now_ms) if subject in state.decided else None
        if acted is not None:
            decisions.append(acted)
            state = with_promotion(state, acted)
            again.add(subject)
    return replace(state, due=frozenset(again)), decisions


def _due(state: TaskPromotions, subjects: Iterable[Subject]) -> TaskPromotions:
    return state if state.due is None else replace(state, due=state.due.union(subjects))


def _acted(state: TaskPromotions, decision: Promotion, now_ms: int) -> Promotion | None:
    """What operators have made of the newest decision on a subject."""
    signed = state.acts.get(decision.sequence, {}).values()
    if not signed or state.spec is None:
        return None
    policy = state.spec.policy
    after = followed(decision, [each for each in signed if fits(each[1], decision, policy.digest())], policy)
    return None if after is None else recorded(replace(after, sequence=state.sequence + 1, created_ms=now_ms))


def _decision(state: TaskPromotions, subject: Subject, now_ms: int) -> tuple[TaskPromotions, Promotion | None]:
    """The gate's decision that is due on a subject. What was promoted is held when harm is shown later, by participants
    who measured then; nothing else changes it. What awaits operators is decided upon again when the policy, which names
    them and the margins, has changed."""
    version, name, runtime, processor = subject
    spec, variant = state.spec, state.variants.get((version, name))
    if spec is None or variant is None or variant.failure or spec.variant(name) is None:
        return state, None
    before = state.decided.get(subject)
    if before is not None and before.decision in _FINAL:
        return state, None
    reports = {
        measurer: report
        for measurer, report in state.measurements[subject].items()
        if report[1].artefact_sha256 == variant.artefact_sha256
    }
    digests = tuple(sorted(sha256 for sha256, _ in reports.values()))
    awaits = before is not None and before.decision is PromotionDecision.AWAITING
    again = awaits and before is not None and before.policy_sha256 != spec.policy.digest()
    known = digests in (state.looked_at.get(subject), () if before is None else before.measurements)
    if not reports or (known and not again):
        return state, None
    state = replace(state, looked_at={**state.looked_at, subject: digests})
    judgement = judged(spec, [report for _, report in reports.values()])
    stands = before is not None and before.decision is not PromotionDecision.UNDECIDED and not again
    if stands and judgement.decision is not Decision.HELD:
        return state, None
    uses_gate = any(report.data == GATE for _, report in reports.values())
    made = Promotion(
        task=variant.task,
        sequence=state.sequence + 1,
        version=version,
        model_digest=variant.model_digest,
        variant=name,
        artefact_sha256=variant.artefact_sha256,
        runtime=runtime,
        processor=processor,
        decision=PromotionDecision(judgement.decision.value),
        reason=in_words(spec, name, judgement),
        policy_sha256=spec.policy.digest(),
        measurements=digests,
        findings=findings(judgement),
        gate_uses=state.gate_uses + uses_gate,
        signers=(),
        acts=(),
        created_ms=now_ms,
        gate=RULES,
    )
    return state, recorded(made)
