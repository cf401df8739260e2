"""What stands behind a task's decisions: in the log and the registry, and of what time. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from fluvial.wire.acceleration import AccelerationSpec
from fluvial.wire.records import Envelope, Measurement, OperatorAct, Promotion, Variant

LATE_MS = 60_000
"""How long after other terms were registered a decision may still come under the former ones: the stage hears of both
topics at its own pace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TermsOfTask:
    """A task's terms, and between which times they were in force, by the broker's clock; None: no telling."""

    spec: AccelerationSpec
    from_ms: int | None = None
    until_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the log and the registry hold. terms: the task's, those that are still known, in the order in which they
    came into force. measurements: all of the task that were genuinely signed, those that no decision names too, by
    the SHA-256 of their records and in the order of the log; admitted: those of participants that the signed log says
    were admitted. acts: by the SHA-256 of theirs, not verified: the terms
    say with which keys. operator_key: the federation's. decisions: of the task, by number; decided_ms: when each was
    written, by the broker's clock; repeated: numbers that another decision has, too."""

    terms: tuple[TermsOfTask, ...]
    operator_key: bytes = b""
    variants: Mapping[tuple[int, str], Variant]
    measurements: Mapping[bytes, Measurement]
    admitted: frozenset[bytes] = frozenset()
    acts: Mapping[bytes, tuple[Envelope, OperatorAct]]
    decisions: Mapping[int, Promotion]
    decided_ms: Mapping[int, int] = field(default_factory=dict)
    repeated: tuple[int, ...] = ()


def missing_numbers(decisions: Mapping[int, Promotion]) -> list[int]:
    """Numbers below the last one that no decision has: something was taken out of the log."""
    return sorted(set(range(1, max(decisions, default=0) + 1)) - decisions.keys())


def newest_before(decision: Promotion, evidence: Evidence) -> Promotion | None:
    """The decision on the same subject that was the newest until this one."""
    earlier = [
        each
        for each in evidence.decisions.values()
        if subject(each) == subject(decision) and each.sequence < decision.sequence
    ]
    return max(earlier, key=lambda each: each.sequence, default=None)


def subject(record: Promotion | Measurement) -> tuple[int, str, str, str]:
    """Version, variant, runtime and class of processors: what a decision is about."""
    return record.version, record.variant, record.runtime, record.processor


def out_of_time(decision: Promotion, evidence: Evidence) -> Iterator[str]:
    """Whether its terms and the gate's rules were those of its time. Else whoever signs decisions could take keys and
    margins that are no more."""
    earlier = [each for number, each in evidence.decisions.items() if number < decision.sequence]
    newest = max((each.gate for each in earlier if not each.acts), default=0)
    if not decision.acts and decision.gate < newest:
        yield f"it is of the gate's rules {decision.gate}, and a decision before it of rules {newest}"
    places = [n for n, each in enumerate(evidence.terms) if each.spec.policy.digest() == decision.policy_sha256]
    if not places:
        return
    first: dict[bytes, int] = {}
    for number, each in enumerate(evidence.terms):
        first.setdefault(each.spec.policy.digest(), number)
    if max(places) < max((first.get(each.policy_sha256, -1) for each in earlier), default=-1):
        yield "it was made under former terms, and a decision before it under those that followed"
    decided_ms = evidence.decided_ms.get(decision.sequence)
    if decided_ms is not None and not any(_in_force(evidence.terms[n], decided_ms) for n in places):
        yield "it was made under terms that were not in force: others had been registered"


def _in_force(terms: TermsOfTask, now_ms: int) -> bool:
    begun = terms.from_ms is None or terms.from_ms <= now_ms
    return begun and (terms.until_ms is None or now_ms <= terms.until_ms + LATE_MS)
