"""Verdicts of refused records, and what becomes of their bytes.

| reason | decision | meaning |
|---|---|---|
| SIZE_LIMIT | REJECT | larger than the policy allows; nothing of it was parsed |
| ENVELOPE | REJECT | no signed envelope of a model update, or its key is not the participant it claims |
| KEY_UNKNOWN | REJECT | no such participant is enrolled, also after a wait |
| KEY_REVOKED | REJECT | the participant was revoked |
| SIGNATURE | REJECT | not signed with the participant's key |
| SCHEMA_UNKNOWN | QUARANTINE | signed, but of a schema that is not pinned: perhaps a newer client |
| DECODE | REJECT | not the record that its schema says |
| NON_CANONICAL | REJECT | other bytes mean the same record |
| PARTICIPANT_MISMATCH | REJECT | signed by one participant in the name of another |
| TASK_UNKNOWN | REJECT | no such task is registered |
| ROUND_UNKNOWN | REJECT | a round that was not opened, also after a wait |
| STALE_ROUND | REJECT | a round or attempt gone by |
| WRONG_BASE | REJECT | trained from another model than the round's |
| AGREEMENT | REJECT | the round's agreement is not signed or not in force |
| DUPLICATE_IGNORED | DUPLICATE | the very bytes were accepted before |
| EQUIVOCATION | REJECT | another update of this participant was accepted for this attempt |
| MANIFEST_MISMATCH | REJECT | layout, chunks or scales are not those of the round's model |
| ENCODING | REJECT | a tensor encoding that the round does not take |
| WEIGHT | REJECT | weight outside 1 .. max_weight |
| INCOMPLETE | REJECT | a chunk is not in the log |
| CHUNK_MISMATCH | REJECT | a chunk's bytes are not those that were signed |
| NON_FINITE | REJECT | NaN or infinity |
| MAGNITUDE_EXCEEDED | REJECT | an element above max_abs |
| NORM_EXCEEDED | REJECT | L2 norm above max_norm |
| TOKEN_INVALID | REJECT | enrolment without a valid one-time token |
"""

from __future__ import annotations

from dataclasses import dataclass

from fluvial.wire.records import Decision, ModelUpdate, Reason, Verdict
from governance.admission.source import Source

_DECISIONS = {
    Reason.ACCEPTED: Decision.ACCEPT,
    Reason.SCHEMA_UNKNOWN: Decision.QUARANTINE,
    Reason.DUPLICATE_IGNORED: Decision.DUPLICATE,
}


@dataclass(frozen=True, slots=True)
class Refused:
    """The record is judged: it does not enter."""

    verdict: Verdict


def make_verdict(
    reason: Reason,
    source: Source,
    record_sha256: bytes,
    participant: str,
    update: ModelUpdate | None = None,
    *,
    norm: float = 0.0,
    max_abs: float = 0.0,
) -> Verdict:
    """The verdict for a reason. update: as far as it was decoded."""
    return Verdict(
        source_topic=source.topic,
        source_partition=source.partition,
        source_offset=source.offset,
        source_timestamp_ms=source.timestamp_ms,
        record_sha256=record_sha256,
        participant=participant,
        task=update.task if update else "",
        round=update.round if update else 0,
        attempt=update.attempt if update else 0,
        update_id=update.update_id if update else "",
        decision=_DECISIONS.get(reason, Decision.REJECT),
        reason=reason,
        norm=norm,
        max_abs=max_abs,
    )


def keeps_raw(verdict: Verdict) -> bool:
    """Whether the raw bytes go to quarantine: of everything that was not accepted, but not of repeats."""
    return verdict.decision in (Decision.REJECT, Decision.QUARANTINE)
