"""Which lease holds which stage: a fold over topic leases.

Leases are numbered. One counts if the aggregator's key has signed it and its number follows that of the last that
counts, so of two jobs that take stages at once the first in the log has them, copies of old leases mean nothing, and
whoever reads the topic comes to the same result. A lease ends those before it that name one of its stages, as a whole:
the stages of a job share their transactions.

Who has taken a lease fences the earlier holders of its stages, and says so when it is done (`Fencing`). They are gone
then for good: whichever epoch one of them is still granted, it finds that lease before it writes. Who died in between
has said nothing, and the next fences them all again (`tests/laws/test_leases.py`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from fluvial.identity.envelope import unseal
from fluvial.wire.errors import FluvialError
from fluvial.wire.records import Fencing, Lease


@dataclass(frozen=True, slots=True)
class Held:
    """A lease, where it lies, and the broker's time of it."""

    lease: Lease
    offset: int
    timestamp_ms: int


class LeaseTable:
    """The leases of a federation as far as they were read."""

    def __init__(self, public_key: bytes, scope: str = "") -> None:
        """public_key: that signs leases. scope: `Topics.scope`."""
        self._public_key, self._scope = public_key, scope
        self._counting: list[Held] = []
        self._in_force: dict[int, Held] = {}
        self._successors: dict[int, Held] = {}
        self._fenced: set[int] = set()

    @property
    def epoch(self) -> int:
        """Number of the newest lease; 0 where there is none."""
        return len(self._counting)

    def add(self, value: bytes, offset: int, timestamp_ms: int) -> bool:
        """Take in the next record of the topic; whether it is a lease that counts. Never raises, whatever the bytes."""
        try:
            lease = unseal(value, Lease, self._public_key, self._scope)
        except FluvialError:
            self._add_fencing(value)
            return False
        if lease.epoch != self.epoch + 1 or not lease.stages:
            return False
        held = Held(lease, offset, timestamp_ms)
        for ended in self.holders(lease.stages):
            del self._in_force[ended.lease.epoch]
            self._successors[ended.lease.epoch] = held
        self._counting.append(held)
        self._in_force[lease.epoch] = held
        return True

    def holders(self, stages: Collection[str]) -> list[Held]:
        """The leases in force that hold one of these stages, the oldest first."""
        return [held for held in self._in_force.values() if not set(stages).isdisjoint(held.lease.stages)]

    def in_force(self) -> list[Held]:
        """All leases in force, the oldest first."""
        return list(self._in_force.values())

    def at(self, epoch: int) -> Held:
        """The lease of this epoch. Raises IndexError where there is none."""
        if epoch < 1:
            raise IndexError(epoch)
        return self._counting[epoch - 1]

    def successor(self, epoch: int) -> Held | None:
        """The lease that ended this one, or None while it is in force."""
        return self._successors.get(epoch)

    def unfenced_epochs(self, epoch: int) -> set[int]:
        """The leases before this one that held one of its stages at any time and may still write."""
        return self._earlier_epochs(epoch) - self._fenced

    def _add_fencing(self, value: bytes) -> None:
        try:
            epoch = unseal(value, Fencing, self._public_key, self._scope).epoch
        except FluvialError:
            return
        if 1 <= epoch <= self.epoch:
            self._fenced |= self._earlier_epochs(epoch)

    def _earlier_epochs(self, epoch: int) -> set[int]:
        stages = set(self.at(epoch).lease.stages)
        return {held.lease.epoch for held in self._counting[: epoch - 1] if not stages.isdisjoint(held.lease.stages)}
