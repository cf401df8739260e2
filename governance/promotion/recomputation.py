"""Whether a recorded decision is the one that follows from what it names: signed counts, the policy, operators' acts.
Pure. Times are evidence that nobody can recompute, and no decision rests on them.

A decision is held against the terms that were in force when it was made, which it names by their policy's digest, and
against the rules of the gate that it names by their number. Where this program has other rules, or the registry has
forgotten the terms, that is said: such a decision is not proven, and not shown to be wrong either.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from math import isclose

from fluvial.identity.envelope import verify_envelope
from fluvial.wire.acceleration import AccelerationSpec
from fluvial.wire.records import GroupFinding, Measurement, Promotion, PromotionDecision
from governance.promotion.acts import fits, followed
from governance.promotion.evidence import Evidence, newest_before, out_of_time, subject
from governance.promotion.judgement import RULES, Decision, Judgement
from governance.promotion.life import Step, VariantState, after
from governance.promotion.measurements import GATE, MAX_MEASURERS, findings, in_words, judged
from governance.promotion.recorded import recorded

_STEPS = {
    PromotionDecision.PROMOTED: Step.ALL_WITHIN,
    PromotionDecision.AWAITING: Step.SIGNATURES_NEEDED,
    PromotionDecision.HELD: Step.HARM_SHOWN,
    PromotionDecision.UNDECIDED: Step.NOT_SHOWN,
}
"""What a decision of the gate is in the life of a variant."""

_TAKEN_OVER = (
    *("decision", "reason", "signers", "acts", "version", "variant", "artefact_sha256"),
    *("runtime", "processor", "measurements", "gate_uses", "gate"),
)
"""What a decision of operators has of the one that they acted upon, and of their acts."""

_MAY_SERVE = frozenset({PromotionDecision.PROMOTED, PromotionDecision.AWAITING})


class Outcome(StrEnum):
    """What came of computing a decision again. OTHER_RULES: of the gate; TERMS_GONE: from the registry, which keeps the
    newest record of each task for ever, and former ones for a while."""

    SAME = "SAME"
    DIFFERS = "DIFFERS"
    OTHER_RULES = "OTHER_RULES"
    TERMS_GONE = "TERMS_GONE"


@dataclass(frozen=True, slots=True)
class Compared:
    """A decision computed again. differences: where it is not what its evidence gives, or what keeps that from being
    computed, in words; empty for what is the same."""

    outcome: Outcome
    differences: tuple[str, ...] = ()


def compared(decision: Promotion, evidence: Evidence) -> Compared:
    """Compute a decision again."""
    wrong = [*_not_of_this_log(decision, evidence), *out_of_time(decision, evidence)]
    policies = {each.spec.policy.digest() for each in evidence.terms}
    if decision.policy_sha256 not in policies:
        gone = f"the registry no longer has the policy {decision.policy_sha256.hex()[:16]} under which it was made"
        return Compared(Outcome.DIFFERS if wrong else Outcome.TERMS_GONE, (*wrong, gone))
    # Terms that differ in other sections only, in names of groups, have one policy: it follows from one of them.
    attempts = [list(_differences(decision, evidence, spec)) for spec in _under(decision, evidence)]
    wrong = [*wrong, *min(attempts, key=len)]
    other = None if decision.acts or decision.signers else _by_other_rules(decision, evidence)
    if wrong:
        return Compared(Outcome.DIFFERS, tuple(wrong))
    return Compared(Outcome.OTHER_RULES, (other,)) if other else Compared(Outcome.SAME)


def differences(decision: Promotion, evidence: Evidence) -> list[str]:
    """Where the decision is not what its evidence gives, in words; empty if it is."""
    return list(compared(decision, evidence).differences)


def _under(decision: Promotion, evidence: Evidence) -> list[AccelerationSpec]:
    return [each.spec for each in evidence.terms if each.spec.policy.digest() == decision.policy_sha256]


def _not_of_this_log(decision: Promotion, evidence: Evidence) -> Iterator[str]:
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


def _by_other_rules(decision: Promotion, evidence: Evidence) -> str | None:
    """What these rules make of a decision that other rules made, where that is not the same."""
    if decision.gate == RULES:
        return None
    of_others = "rules of before they were numbered" if decision.gate == 0 else f"the rules {decision.gate}"
    made = f"it was decided by {of_others} of the gate, and this program has the rules {RULES}, which "
    spec = _under(decision, evidence)[-1]
    judgement = judged(spec, _reports(decision, evidence))
    found = list(_judged_otherwise(decision, spec, judgement))
    if not found:
        return None
    if decision.decision.value == judgement.decision.value:
        return f"{made}come to the same decision, with other words or numbers"
    return f"{made}come to: {in_words(spec, decision.variant, judgement)}"


def _differences(decision: Promotion, evidence: Evidence, spec: AccelerationSpec) -> Iterator[str]:
    if decision.acts or decision.signers:
        yield from _by_operators(decision, evidence, spec)
    else:
        yield from _by_the_gate(decision, evidence, spec)


def _by_operators(decision: Promotion, evidence: Evidence, spec: AccelerationSpec) -> Iterator[str]:
    keys = spec.policy.keys_of_operators(evidence.operator_key)
    acts = []
    for digest in decision.acts:
        envelope, act = evidence.acts.get(digest, (None, None))
        key = keys.get(act.operator) if act is not None else None
        if envelope is not None and act is not None and key is not None and verify_envelope(envelope, key):
            acts.append((digest, act))
    if len(acts) < len(decision.acts):
        lost = len(decision.acts) - len(acts)
        yield f"{lost} of {len(decision.acts)} acts are not there, or nobody signed them who was an operator then"
    if not acts:
        yield "no act of an operator stands behind it"
        return
    before = evidence.decisions.get(acts[0][1].promotion)
    if before is None or before.sequence >= decision.sequence:
        yield f"there is no decision {acts[0][1].promotion} before it, which the operators acted upon"
        return
    newest = newest_before(decision, evidence)
    if newest is not None and newest.sequence != before.sequence:
        yield f"the operators acted upon decision {before.sequence}, which decision {newest.sequence} had followed"
    fitting = [signed for signed in acts if fits(signed[1], before, spec.policy.digest())]
    follows = followed(before, fitting, spec.policy)
    if follows is None:
        yield f"the acts do not suffice: {spec.policy.operators} operators must sign a promotion"
        return
    follows = recorded(replace(follows, sequence=decision.sequence, created_ms=decision.created_ms))
    for name in _TAKEN_OVER:
        yield from _differs(name, getattr(decision, name), getattr(follows, name))
    yield from _findings_differ(decision.findings, follows.findings)


def _by_the_gate(decision: Promotion, evidence: Evidence, spec: AccelerationSpec) -> Iterator[str]:
    reports = _reports(decision, evidence)
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
    yield from _named_wrongly(decision, reports, evidence, spec)
    yield from _against_what_was_decided(decision, evidence)
    yield from _differs("gate_uses", decision.gate_uses, _gate_uses(decision, evidence))
    if decision.gate == RULES:
        yield from _judged_otherwise(decision, spec, judged(spec, reports))


def _reports(decision: Promotion, evidence: Evidence) -> list[Measurement]:
    return [evidence.measurements[digest] for digest in decision.measurements if digest in evidence.measurements]


def _judged_otherwise(decision: Promotion, spec: AccelerationSpec, judgement: Judgement) -> Iterator[str]:
    yield from _differs("decision", decision.decision.value, judgement.decision.value)
    words = in_words(spec, decision.variant, judgement)
    follows = recorded(replace(decision, reason=words, findings=findings(judgement)))
    yield from _differs("reason", decision.reason, follows.reason)
    yield from _findings_differ(decision.findings, follows.findings)


def _named_wrongly(
    decision: Promotion, reports: list[Measurement], evidence: Evidence, spec: AccelerationSpec
) -> Iterator[str]:
    """One measurement counts of each measurer: the first that the log has. What would hold the variant may not be left
    out of the newest decision that lets it serve."""
    measurers = [(report.data, report.measurer) for report in reports]
    for data, measurer in sorted({each for each in measurers if measurers.count(each) > 1}):
        yield f"{measurer} is counted {measurers.count((data, measurer))} times"
    first: dict[tuple[str, str], bytes] = {}
    for digest, report in evidence.measurements.items():
        counts = report.data == GATE or digest in evidence.admitted or digest in decision.measurements
        if counts and subject(report) == subject(decision) and report.artefact_sha256 == decision.artefact_sha256:
            first.setdefault((report.data, report.measurer), digest)
    for place, digest in first.items():
        if place in measurers and digest not in decision.measurements:
            yield f"{place[1]} had measured before what is named, and the first counts"
    newest = max(each.sequence for each in evidence.decisions.values() if subject(each) == subject(decision))
    if decision.sequence < newest or decision.decision not in _MAY_SERVE or decision.gate != RULES:
        return
    if len(first) > MAX_MEASURERS:
        return  # The gate counts the first so many, and which those were this log does not tell.
    everything = judged(spec, [evidence.measurements[digest] for digest in first.values()])
    if everything.decision is Decision.HELD:
        yield f"{len(first) - len(reports)} measurements that it does not name would have it held"


def _against_what_was_decided(decision: Promotion, evidence: Evidence) -> Iterator[str]:
    """Whether this may follow what was decided on the subject before: what was held or rolled back stays so."""
    before = newest_before(decision, evidence)
    try:
        after(VariantState.BUILT if before is None else VariantState(before.decision.value), _STEPS[decision.decision])
    except (KeyError, ValueError):
        was = "nothing was decided" if before is None else f"decision {before.sequence} was {before.decision.value}"
        yield f"{was}, which {decision.decision.value} cannot follow"
    if before is None or before.decision is not PromotionDecision.AWAITING:
        return
    if decision.decision is not PromotionDecision.HELD and before.policy_sha256 == decision.policy_sha256:
        yield f"decision {before.sequence} was AWAITING under the same policy: operators decide then, not the gate"


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
