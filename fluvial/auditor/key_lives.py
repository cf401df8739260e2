"""From when to when a key of a participant may have been in force, and what it had agreed to.

Two clocks say when. The brokers' time of the enrolment and of what ended it say when the key may have been in force;
when record or leaf stood in the log says when every stage must have known. In between, either answer is right.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from fluvial.wire.records import Participant

HEARD_MS = 60_000
"""After so long by the brokers' clock a stage has heard what stands in a topic that it follows."""
BACKLOG_MS = 86_400_000
"""So much later than the broker had it a record may be judged, after an outage."""


@dataclass(slots=True)
class KeyLife:
    """One key of a participant. enrolled_ms: broker time of the request. known_ms: since when the log or the registry
    shows it. ended_ms: broker time at which it was revoked, or another took its place; None while it is in force.
    agreements: that it has signed. withdrawn_ms: of what it signs no more, since when the log or the registry shows it.
    withdrawals: broker times of all withdrawals, of what it signed again too."""

    public_key: bytes
    enrolled_ms: int
    known_ms: int
    ended_ms: int | None = None
    agreements: set[str] = field(default_factory=set)
    withdrawn_ms: dict[str, int] = field(default_factory=dict)
    withdrawals: dict[str, set[int]] = field(default_factory=dict)

    def may_have_signed(self, at_ms: int) -> bool:
        """Whether an update that the broker had then may have been accepted for this key."""
        if at_ms < self.enrolled_ms - HEARD_MS:
            return False
        return self.ended_ms is None or at_ms <= self.ended_ms + HEARD_MS

    def may_have_agreed(self, agreement: str, at_ms: int, opened_ms: int) -> bool:
        """Whether an update that the broker had then may have been accepted under this agreement, for a round that was
        opened at `opened_ms`: before a withdrawal, or before every stage had heard of it."""
        if agreement not in self.agreements:
            return False
        if any(opened_ms < withdrawn_ms for withdrawn_ms in self.withdrawals.get(agreement, ())):
            return True
        return at_ms <= self.withdrawn_ms.get(agreement, at_ms) + HEARD_MS

    def had_withdrawn(self, agreement: str, opened_ms: int) -> bool:
        """Whether the agreement was withdrawn when a round was opened, or has been once before."""
        return any(withdrawn_ms <= opened_ms for withdrawn_ms in self.withdrawals.get(agreement, ()))

    def take_agreements(self, record: Participant, at_ms: int) -> None:
        """A newer record of the key."""
        names = {signed.agreement for signed in record.agreements}
        for gone in record.withdrawn:
            self.withdrawals.setdefault(gone.agreement, set()).add(gone.withdrawn_ms)
        for name in self.agreements - names:
            self.withdrawn_ms.setdefault(name, at_ms)
        for name in names:
            self.withdrawn_ms.pop(name, None)
        self.agreements |= names

    def was_in_force(self, at_ms: int) -> bool:
        """Whether an update that the broker had then cannot have been refused for this key."""
        if at_ms < self.known_ms + HEARD_MS:
            return False
        return self.ended_ms is None or at_ms + BACKLOG_MS < self.ended_ms
