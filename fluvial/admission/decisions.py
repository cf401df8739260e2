"""The decision that a reason stands for. What each reason means says `governance.admission.reasons`."""

from __future__ import annotations

from collections.abc import Set

from fluvial.wire.records import Decision, Reason

QUARANTINED = frozenset({Reason.SCHEMA_UNKNOWN, Reason.LOW_SCORE, Reason.UNHANDLED})
"""Reasons for which a record is held for a person rather than rejected, where the policy does not say otherwise."""


def decision(reason: Reason, quarantined: Set[Reason] = QUARANTINED) -> Decision:
    """The decision that a reason stands for."""
    if reason is Reason.ACCEPTED:
        return Decision.ACCEPT
    if reason is Reason.DUPLICATE_IGNORED:
        return Decision.DUPLICATE
    return Decision.QUARANTINE if reason in quarantined else Decision.REJECT
