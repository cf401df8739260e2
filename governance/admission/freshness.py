"""Whether an update is for the round that is open, and the first of its participant for it."""

from __future__ import annotations

from fluvial.wire.records import ModelUpdate, Participant, Reason, Round, RoundStatus
from governance.admission.source import RegistryView, SeenView


def check_round(update: ModelUpdate, round_: Round | None) -> Reason | None:
    """Reason to refuse, or None. ROUND_UNKNOWN: the record may come yet; a caller waits before it refuses for that.

    Broker time after the deadline does not refuse here: aggregation answers it with a receipt that says LATE.
    """
    if round_ is None or (update.round, update.attempt) > (round_.round, round_.attempt):
        return Reason.ROUND_UNKNOWN
    if (update.round, update.attempt) < (round_.round, round_.attempt) or round_.status is not RoundStatus.OPEN:
        return Reason.STALE_ROUND
    if (update.base_version, update.base_digest) != (round_.base_version, round_.base_digest):
        return Reason.WRONG_BASE
    return None


def check_repeat(update: ModelUpdate, record_sha256: bytes, seen: SeenView) -> Reason | None:
    """Reason to refuse, or None. The first accepted record of an attempt counts; another one is equivocation."""
    accepted = seen.accepted(update.task, update.round, update.attempt)
    return Reason.EQUIVOCATION if accepted is not None and accepted != record_sha256 else None


def check_agreement(
    agreement: str, participant: Participant, registry: RegistryView, broker_time_ms: int
) -> Reason | None:
    """Reason to refuse, or None when no agreement is asked for, or it is signed as registered and in force."""
    if not agreement:
        return None
    digest, period = registry.agreement_sha(agreement), registry.agreement_period(agreement)
    signed = {entry.agreement: entry.sha256 for entry in participant.agreements}
    if digest is None or period is None or signed.get(agreement) != digest:
        return Reason.AGREEMENT
    return None if period[0] <= broker_time_ms <= period[1] else Reason.AGREEMENT
