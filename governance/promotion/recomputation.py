"""Whether a recorded decision is the one that follows from what it names: signed counts, the policy, operators' acts.
Pure. Times are evidence that nobody can recompute, and no decision rests on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from math import isclose

from fluvial.wire.acceleration import AccelerationSpec
from fluvial.wire.records import GroupFinding, Measurement, OperatorAct, Promotion, PromotionDecision, Variant
from governance.promotion.acts import fits, followed
from governance.promotion.judgement import Decision
from governance.promotion.life import Step, VariantState, after
from governance.promotion.measurements import GATE, findings, in_words, judged

_STEPS = {
    PromotionDecision.PROMOTED: Step.ALL_WITHIN,
    PromotionDecision.AWAITING: Step.SIGNATURES_NEEDED,
    PromotionDecision.HELD: Step.HARM_SHOWN,
    PromotionDecision.UNDECIDED: Step.NOT_SHOWN,
}
"""What a decision of the gate is in the life of a variant."""

_TAKEN_OVER = (
    *("decision", "reason", "signers", "acts", "version", "variant", "artefact_sha256"),
    *("runtime", "processor", "measurements", "gate_uses"),
)
"""What a decision of operators has of the one that they acted upon, and of their acts."""

_MAY_SERVE = frozenset({PromotionDecision.PROMOTED, PromotionDecision.AWAITING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the log and the registry hold, every signature verified. spec: the task's terms; None where the registry
    does not have them. measurements: all of the task, those that no decision names too, by the SHA-256 of their records
    and in the order of the log; acts: by the SHA-256 of theirs. decisions: of the task, by number; repeated:
    numbers that another decision has, too."""

    spec: AccelerationSpec | None
    variants: Mapping[tuple[int, str], Variant]
    measurements: Mapping[bytes, Measurement]
    acts: Mapping[bytes, OperatorAct]
    decisions: Mapping[int, Promotion]
    repeated: tuple[int, ...] = ()


def differences(decision: Promotion, evidence: Evidence) -> list[str]:
    """Where the decision is not what its evidence gives, in words; empty if it is."""
    return list(_differences(decision, evidence))


def missing_numbers(decisions: Mapping[int, Promotion]) -> list[int]:
    """Numbers below the last one that no decision has: something was taken out of the log."""
    return sorted(set(range(1, max(decisions, default=0) + 1)) - decisions.keys())


def _before(decision: Promotion, evidence: Evidence) -> Promotion | None:
    """The decision on the same subject that was the newest until this one."""
    earlier = [
        each
        for each in evidence.decisions.values()
        if _subject(each) == _subject(decision) and each.sequence < decision.sequence
    ]
    return max(earlier, key=lambda each: each.sequence, default=None)


def _subject(record: Promotion | Measurement) -> tuple[int, str, str, str]:
    return record.version, record.variant, record.runtime, record.processor


def _differences(decision: Promotion, evidence: Evidence) -> Iterator[str]:
    variant = evidence.variants.get((decision.version, decision.variant))
    if variant is None:
        yield "no such variant was recorded"
    elif (variant.artefact_sha256, variant.model_digest) != (decision.artefact_sha256, decision.model_digest):
        yield "the variant that was recorded has other bytes, or is of another model"
    elif variant.failure:
        yield "the variant could not be built, so there is nothing to decide upon"
    if decision.sequence in evidence.repeated:
        yield f"another decision has the number {decision.sequence}, too"
    if decision.sequence < 1:
        yield f"it has the number {decision.sequence}; decisions are numbered from 1"
    if evidence.spec is None:
        yield "the registry does not have the task's terms"
        return
    if evidence.spec.policy.digest() != decision.policy_sha256:
        yield "the policy is not the one that the registry has: nothing can be computed again"
        return
    if decision.acts or decision.signers:
        yield from _by_operators(decision, evidence, evidence.spec)
    else:
        yield from _by_the_gate(decision, evidence, evidence.spec)


def _by_operators(decision: Promotion, evidence: Evidence, spec: AccelerationSpec) -> Iterator[str]:
    acts = [(digest, evidence.acts[digest]) for digest in decision.acts if digest in evidence.acts]
    if len(acts) < len(decision.acts):
        yield f"{len(decision.acts) - len(acts)} of {len(decision.acts)} acts are not there, or no operator signed them"
    if not acts:
        yield "no act of an operator stands behind it"
        return
    before = evidence.decisions.get(acts[0][1].promotion)
    if before is None or before.sequence >= decision.sequence:
        yield f"there is no decision {acts[0][1].promotion} before it, which the operators acted upon"
        return
    newest = _before(decision, evidence)
    if newest is not None and newest.sequence != before.sequence:
        yield f"the operators acted upon decision {before.sequence}, which decision {newest.sequence} had followed"
    follows = followed(before, [signed for signed in acts if fits(signed[1], before)], spec.policy.operators)
    if follows is None:
        yield f"the acts do not suffice: {spec.policy.operators} operators must sign a promotion"
        return
    for name in _TAKEN_OVER:
        yield from _differs(name, getattr(decision, name), getattr(follows, name))
    yield from _findings_differ(decision.findings, follows.findings)


def _by_the_gate(decision: Promotion, evidence: Evidence, spec: AccelerationSpec) -> Iterator[str]:
    reports = [evidence.measurements[digest] for digest in decision.measurements if digest in evidence.measurements]
    if len(reports) < len(decision.measurements):
        lost = len(decision.measurements) - len(reports)
        yield f"{lost} of {len(decision.measurements)} measurements are not there, or not signed by who may measure"
    subject = decision.task, decision.version, decision.variant, decision.artefact_sha256
    for report in reports:
        of = report.task, report.version, report.variant, report.artefact_sha256
        if (*of, report.runtime, report.processor) != (*subject, decision.runtime, decision.processor):
            yield f"a measurement of {report.measurer} is of another artefact, runtime or class of processors"
            return
    if not reports:
        yield "nothing that was measured stands behind it"
        return
    yield from _named_wrongly(decision, reports, evidence)
    judgement = judged(spec, reports)
    yield from _against_what_was_decided(decision, evidence)
    yield from _differs("gate_uses", decision.gate_uses, _gate_uses(decision, evidence))
    yield from _differs("decision", decision.decision.value, judgement.decision.value)
    yield from _differs("reason", decision.reason, in_words(spec, decision.variant, judgement))
    yield from _findings_differ(decision.findings, findings(judgement))


def _named_wrongly(decision: Promotion, reports: list[Measurement], evidence: Evidence) -> Iterator[str]:
    """One measurement counts of each measurer: the first that the log has. What would hold the variant may not be left
    out of the newest decision that lets it serve."""
    measurers = [(report.data, report.measurer) for report in reports]
    for data, measurer in sorted({each for each in measurers if measurers.count(each) > 1}):
        yield f"{measurer} is counted {measurers.count((data, measurer))} times"
    first: dict[tuple[str, str], bytes] = {}
    for digest, report in evidence.measurements.items():
        if _subject(report) == _subject(decision) and report.artefact_sha256 == decision.artefact_sha256:
            first.setdefault((report.data, report.measurer), digest)
    for place, digest in first.items():
        if place in measurers and digest not in decision.measurements:
            yield f"{place[1]} had measured before what is named, and the first counts"
    newest = max(each.sequence for each in evidence.decisions.values() if _subject(each) == _subject(decision))
    if decision.sequence < newest or decision.decision not in _MAY_SERVE or evidence.spec is None:
        return
    everything = judged(evidence.spec, [evidence.measurements[digest] for digest in first.values()])
    if everything.decision is Decision.HELD:
        yield f"{len(first) - len(reports)} measurements that it does not name would have it held"


def _against_what_was_decided(decision: Promotion, evidence: Evidence) -> Iterator[str]:
    """Whether this may follow what was decided on the subject before: what was held or rolled back stays so."""
    before = _before(decision, evidence)
    try:
        after(VariantState.BUILT if before is None else VariantState(before.decision.value), _STEPS[decision.decision])
    except (KeyError, ValueError):
        was = "nothing was decided" if before is None else f"decision {before.sequence} was {before.decision.value}"
        yield f"{was}, which {decision.decision.value} cannot follow"


def _gate_uses(decision: Promotion, evidence: Evidence) -> int:
    """How often the gate had decided on the task's gate set, this time included."""
    return sum(
        any(
            digest in evidence.measurements and evidence.measurements[digest].data == GATE
            for digest in each.measurements
        )
        for each in evidence.decisions.values()
        if each.sequence <= decision.sequence and not each.acts
    )


def _findings_differ(recorded: tuple[GroupFinding, ...], computed: tuple[GroupFinding, ...]) -> Iterator[str]:
    there = {(finding.metric, finding.group): finding for finding in recorded}
    here = {(finding.metric, finding.group): finding for finding in computed}
    for metric, group in sorted(there.keys() | here.keys()):
        if (metric, group) not in there or (metric, group) not in here:
            where = "not recorded" if (metric, group) not in there else "recorded, but does not follow"
            yield f"{metric} of {group} is {where}"
            continue
        for field in fields(GroupFinding):
            values = getattr(there[metric, group], field.name), getattr(here[metric, group], field.name)
            yield from _differs(f"{metric} of {group}: {field.name}", *values)


def _differs(what: str, recorded: object, computed: object) -> Iterator[str]:
    """Numbers may differ as libraries of mathematics do."""
    if isinstance(recorded, float) and isinstance(computed, float):
        same = isclose(recorded, computed, rel_tol=1e-9, abs_tol=1e-12)
    else:
        same = recorded == computed
    if not same:
        yield f"{what} is recorded as {_shown(recorded)}, but follows as {_shown(computed)}"


def _shown(value: object) -> str:
    return value if isinstance(value, str) else repr(value)
