"""Shares of the gate: how much of one sender is looked at, counted before anything of a record is opened.

A bucket for each enrolled name and partition of the topic, and one in each partition for all names that nobody has:
names are free, so a stranger with a thousand of them gets no more than one with a single one. It fills by the brokers'
clock: what is refused follows from the topic, and neither an outage nor a backlog makes an honest sender one who sends
too fast. A record takes one from it, and one more for each 32 KiB.

Nothing is proven of a record yet: whoever may write to the topic may use up what a participant is given. A broker that
knows who writes (`--secure`) bounds that by principal.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass

BYTES_OF_ONE = 32 << 10
LEAST_BURST = 64
WINDOW_MS = 60_000
"""No bucket takes longer to fill: so who is refused has sent LEAST_BURST or more within this time."""

_PER_MS = 1_000

Sender = tuple[int, str]
"""Partition and enrolled name; an empty name for all others."""


def cost(num_bytes: int) -> int:
    """What a record takes."""
    return 1 + num_bytes // BYTES_OF_ONE


@dataclass(frozen=True, slots=True)
class Rate:
    """burst: what a full bucket holds. per_second: what flows in. Raises ValueError for a bucket that takes longer than
    a minute to fill, or holds less than LEAST_BURST."""

    burst: int
    per_second: int

    def __post_init__(self) -> None:
        if self.burst < LEAST_BURST or self.per_second * WINDOW_MS < self.burst * 1_000:
            raise ValueError(f"a rate holds {LEAST_BURST} or more, and is full again within {WINDOW_MS // 1_000} s")


class Rates:
    """The buckets of the gate, all full at first. named: of each enrolled name. unnamed: of all others together."""

    def __init__(self, named: Rate, unnamed: Rate) -> None:
        self._named, self._unnamed = named, unnamed
        self._buckets: dict[Sender, tuple[int, int]] = {}
        """Thousandths of one that were left, and when."""

    def take(self, sender: Sender, num_bytes: int, at_ms: int) -> bool:
        """Whether a record is looked at. at_ms: its broker time."""
        rate = self._named if sender[1] else self._unnamed
        full = rate.burst * _PER_MS
        left, since_ms = self._buckets.get(sender) or (full, at_ms)
        if at_ms > since_ms:
            left, since_ms = min(left + (at_ms - since_ms) * rate.per_second, full), at_ms
        elif at_ms < since_ms - WINDOW_MS:
            since_ms = at_ms  # The clock was set back: it may be long until it is past that time again.
        wanted = (1 + num_bytes // BYTES_OF_ONE) * _PER_MS
        if wanted > full:
            wanted = full
        is_looked_at = wanted <= left
        self._buckets[sender] = left - wanted if is_looked_at else left, since_ms
        return is_looked_at


class Sent:
    """What each name has sent within the last WINDOW_MS, for who asks whether a refusal can be. Fed with all records of
    a topic, those of a partition in their order."""

    def __init__(self) -> None:
        self._recent: dict[Sender, deque[tuple[int, int]]] = defaultdict(deque)
        self._sums: dict[Sender, int] = defaultdict(int)

    def add(self, partition: int, name: str, num_bytes: int, at_ms: int) -> None:
        """name: that the Kafka key claims."""
        for sender in {(partition, name), (partition, "")}:
            recent, costs = self._recent[sender], cost(num_bytes)
            recent.append((at_ms, costs))
            self._sums[sender] += costs
            while recent[0][0] < at_ms - WINDOW_MS:
                self._sums[sender] -= recent.popleft()[1]

    def may_be_too_much(self, partition: int, name: str) -> bool:
        """Whether a gate may have refused the record that was added last. name: empty for one of the names that nobody
        has."""
        return self._sums[partition, name] >= LEAST_BURST
