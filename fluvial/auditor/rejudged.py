"""What all verdicts have that are taken again: a record on its way through the gate's own functions
(`fluvial.admission`), the keys that may have signed it, and what is taken on trust."""

from __future__ import annotations

from collections import Counter

from fluvial.admission.case import Case
from fluvial.admission.decisions import QUARANTINED, decision
from fluvial.admission.judgement import Fault, Source
from fluvial.auditor.key_lives import HEARD_MS, KeyLife
from fluvial.auditor.keys import Keys
from fluvial.auditor.reader import TopicRecord
from fluvial.identity.envelope import verify_envelope
from fluvial.wire.errors import DecodeError
from fluvial.wire.framing import version_of
from fluvial.wire.records import Decision, Reason, Verdict

OF_THE_BYTES = frozenset(
    {
        Reason.ENVELOPE,
        Reason.NON_CANONICAL,
        Reason.DECODE,
        Reason.PARTICIPANT_MISMATCH,
        Reason.SCHEMA_UNKNOWN,
        Reason.OTHER_FEDERATION,
        Reason.SIGNATURE,
        Reason.KEY_UNKNOWN,
    }
)
"""Reasons that a record has whatever the round is."""
NAMELESS = ("", 0, 0, "")
"""Task, round, attempt and id that a verdict names of a record that was not read so far."""


class Rejudged:
    """Base of those that take verdicts on one kind of record again. on_trust: by reason, refusals that the log alone
    neither proves nor refutes; shared. scope: `Topics.scope`."""

    def __init__(self, keys: Keys, on_trust: Counter[str], scope: str) -> None:
        self._keys, self._on_trust, self._scope = keys, on_trust, scope

    def _trust(self, verdict: Verdict) -> None:
        self._on_trust[verdict.reason.value] += 1

    def _signers(self, case: Case) -> list[KeyLife]:
        return [life for life in self._keys.of(case.claimed) if verify_envelope(case.envelope, life.public_key)]

    def _of_the_bytes(self, case: Case, fault: Fault | None, signers: list[KeyLife], verdict: Verdict) -> str:
        if fault or not any(life.was_in_force(case.source.timestamp_ms) for life in signers):
            return ""
        if verdict.reason is Reason.SCHEMA_UNKNOWN and not _is_of_version_1(case):
            # A former release of the gate may not have known it.
            self._trust(verdict)
            return ""
        return f"was refused as {verdict.reason}, though a key of {verdict.participant} signed it and it is in order"


def names(verdict: Verdict) -> tuple[str, int, int, str]:
    """Task, round, attempt and id of what it says it judges; NAMELESS where it says nothing."""
    return verdict.task, verdict.round, verdict.attempt, verdict.update_id


def case_of(record: TopicRecord, scope: str) -> Case:
    source = Source(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp_ms=record.timestamp_ms,
        key=record.key,
    )
    return Case.of(record.value or b"", source, QUARANTINED, scope)


def form(verdict: Verdict, case: Case) -> str:
    """What is wrong with a verdict whatever the record holds."""
    if verdict.participant != case.claimed:
        return f"its verdict names the participant {verdict.participant!r}, its key {case.claimed!r}"
    usual = decision(verdict.reason)
    refusals = (Decision.REJECT, Decision.QUARANTINE)
    fits = verdict.decision is usual or (verdict.decision in refusals and usual in refusals)
    return "" if fits else f"its verdict decides {verdict.decision} for {verdict.reason}"


def unless_heard(since_ms: int | None, verdict: Verdict) -> bool | None:
    """False if what the gate says it had not heard of had stood in the log for so long that it had."""
    return False if since_ms is not None and since_ms + HEARD_MS < verdict.source_timestamp_ms else None


def _is_of_version_1(case: Case) -> bool:
    try:
        return str(version_of(case.envelope.payload)) == "ModelUpdate 1"
    except DecodeError:
        return False
