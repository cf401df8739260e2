"""Whether a recorded decision is the one that follows from what it names: signed counts, the policy, operators' acts.
Pure. Times are evidence that nobody can recompute, and no decision rests on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from math import isclose

from fluvial.wire.acceleration import AccelerationSpec
from fluvial.wire.records import GroupFinding, Measurement, OperatorAct, Promotion, Variant
from governance.promotion.acts import fits, followed
from governance.promotion.measurements import findings, in_words, judged


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the log and the registry hold, every signature verified. spec: the task's terms; None where the registry
    does not have them. measurements, acts: by the SHA-256 of their records. decisions: of the task, by number."""

    spec: AccelerationSpec | None
    variants: Mapping[tuple[int, str], Variant]
    measurements: Mapping[bytes, Measurement]
    acts: Mapping[bytes, OperatorAct]
    decisions: Mapping[int, Promotion]


def differences(decision: Promotion, evidence: Evidence) -> list[str]:
    """Where the decision is not what its evidence gives, in words; empty if it is."""
    return list(_differences(decision, evidence))


def missing_numbers(decisions: Mapping[int, Promotion]) -> list[int]:
    """Numbers below the last one that no decision has: something was taken out of the log."""
    return sorted(set(range(1, max(decisions, default=0) + 1)) - decisions.keys())


def _differences(decision: Promotion, evidence: Evidence) -> Iterator[str]:
    variant = evidence.variants.get((decision.version, decision.variant))
    if variant is None:
        yield "no such variant was recorded"
    elif (variant.artefact_sha256, variant.model_digest) != (decision.artefact_sha256, decision.model_digest):
        yield "the variant that was recorded has other bytes, or is of another model"
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
    after = followed(before, [signed for signed in acts if fits(signed[1], before)], spec.policy.operators)
    if after is None:
        yield f"the acts do not suffice: {spec.policy.operators} operators must sign a promotion"
        return
    for name in ("decision", "reason", "signers", "acts", "variant", "runtime", "processor", "measurements"):
        yield from _differs(name, getattr(decision, name), getattr(after, name))
    yield from _findings_differ(decision.findings, after.findings)


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
    judgement = judged(spec, reports)
    yield from _differs("decision", decision.decision.value, judgement.decision.value)
    yield from _differs("reason", decision.reason, in_words(spec, decision.variant, judgement))
    yield from _findings_differ(decision.findings, findings(judgement))


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
