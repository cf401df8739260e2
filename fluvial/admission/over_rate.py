"""Refusals of many records at once: what a sender sent beyond its share has one record of verdicts, not one each.

A flood costs what is done for each record. So the gate only counts and hashes what is over a share (`rates`), and
writes for all that one sender had of it in one partition since the last checkpoint an `OverRate`: the offsets, as runs,
and a digest over the records' own. It is the one verdict of each of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

from fluvial.admission.rates import Sender
from fluvial.wire.errors import Malformed
from fluvial.wire.records import Decision, OverRate, Reason, Run, Verdict

MAX_RECORDS = 4_096
"""Of one `OverRate`: whatever lies between them, it fits an event of the audit log."""


def offsets_of(refused: OverRate) -> list[range]:
    """The offsets that are meant, in their order. Raises Malformed where they are none that a gate writes."""
    ranges: list[range] = []
    end, left = refused.first, MAX_RECORDS
    for number, run in enumerate(refused.runs):
        if run.length < 1 or run.skipped < (number > 0) or run.skipped > 0 == number:
            raise Malformed(f"a run of {run.length} offsets behind {run.skipped}")
        left -= run.length
        start, end = end + run.skipped, end + run.skipped + run.length
        ranges.append(range(start, end))
    if left < 0 or not ranges or refused.first < 0 or end > (1 << 63):
        raise Malformed(f"{MAX_RECORDS - left} records from offset {refused.first} on")
    return ranges


def verdicts_of(refused: OverRate) -> Iterator[Verdict]:
    """The verdict on each of the records, as it would stand by itself; without a digest, and with the broker time of
    the first. Raises Malformed."""
    for offsets in offsets_of(refused):
        for offset in offsets:
            yield verdict_on(refused, offset, refused.participant)


def verdict_on(
    refused: OverRate, offset: int, participant: str, timestamp_ms: int | None = None, record_sha256: bytes = b""
) -> Verdict:
    """The verdict on one of the records. participant: that its Kafka key names."""
    return Verdict(
        source_topic=refused.source_topic,
        source_partition=refused.source_partition,
        source_offset=offset,
        source_timestamp_ms=refused.source_timestamp_ms if timestamp_ms is None else timestamp_ms,
        record_sha256=record_sha256,
        participant=participant,
        task="",
        round=0,
        attempt=0,
        update_id="",
        decision=Decision.REJECT,
        reason=Reason.OVER_RATE,
        norm=0.0,
        max_abs=0.0,
    )


class _Gathered:
    """Of one sender. Its records come in the order of their partition."""

    __slots__ = ("digests", "end", "first", "runs", "timestamp_ms")

    def __init__(self, offset: int, timestamp_ms: int) -> None:
        self.first, self.timestamp_ms = offset, timestamp_ms
        self.runs: list[list[int]] = [[0, 0]]
        self.end = offset
        self.digests: list[bytes] = []

    def add(self, offset: int, value: bytes) -> None:
        if offset > self.end:
            self.runs.append([offset - self.end, 0])
        self.runs[-1][1] += 1
        self.end = offset + 1
        self.digests.append(sha256(value).digest())


class OverRates:
    """Gathers what is refused so. topic: full name of the input's."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._gathered: dict[Sender, _Gathered] = {}
        self._full: list[OverRate] = []

    def add(self, sender: Sender, offset: int, timestamp_ms: int, value: bytes) -> None:
        """A record was refused. sender: its partition and enrolled name, as in `rates`."""
        gathered = self._gathered.get(sender)
        if gathered is None:
            gathered = self._gathered[sender] = _Gathered(offset, timestamp_ms)
        gathered.add(offset, value)
        if len(gathered.digests) == MAX_RECORDS:
            self._full.append(self._record(sender, self._gathered.pop(sender)))

    def take_full(self) -> list[OverRate]:
        """Those that take no more."""
        full, self._full = self._full, []
        return full

    def take(self) -> list[OverRate]:
        """All there are."""
        for sender, gathered in self._gathered.items():
            self._full.append(self._record(sender, gathered))
        self._gathered.clear()
        return self.take_full()

    def _record(self, sender: Sender, gathered: _Gathered) -> OverRate:
        partition, name = sender
        return OverRate(
            source_topic=self._topic,
            source_partition=partition,
            first=gathered.first,
            source_timestamp_ms=gathered.timestamp_ms,
            participant=name,
            runs=tuple(Run(skipped=skipped, length=length) for skipped, length in gathered.runs),
            records_sha256=sha256(b"".join(gathered.digests)).digest(),
        )
