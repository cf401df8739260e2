"""Which records were refused together (`fluvial.admission.over_rate`): looked up by record, without one entry for each.

A flood of a million records is a few hundred leaves; an auditor needs memory for their runs of offsets, not for the
records.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Generic, TypeVar

from fluvial.admission.over_rate import offsets_of
from fluvial.wire.records import OverRate

T = TypeVar("T")

Place = tuple[str, int, int]
"""Topic, partition and first offset of an `OverRate`."""


def place_of(refused: OverRate) -> Place:
    return refused.source_topic, refused.source_partition, refused.first


@dataclass(slots=True)
class Seen(Generic[T]):
    """An `OverRate`, what holds it, and how many of its records were found."""

    refused: OverRate
    about: T
    num_records: int
    num_seen: int = 0
    digests: Any = field(default_factory=sha256)

    def see(self, record_sha256: bytes) -> None:
        """One of its records; they come in the order of their partition. record_sha256: 32 bytes."""
        self.num_seen += 1
        self.digests.update(record_sha256)

    def is_of_other_bytes(self) -> bool:
        """Whether all records were met, and are not those that were refused."""
        return self.num_seen == self.num_records and self.digests.digest() != self.refused.records_sha256

    def num_from(self, offset: int) -> int:
        """How many of its records lie at this offset or behind it."""
        return sum(max(0, run.stop - max(run.start, offset)) for run in offsets_of(self.refused))


class Refused(Generic[T]):
    """Filled, then asked. None of them is on a record of another."""

    def __init__(self) -> None:
        self._starts: dict[tuple[str, int], list[int]] = {}
        self._runs: dict[tuple[str, int], list[tuple[range, Seen[T]]]] = {}
        self._seen: dict[Place, Seen[T]] = {}

    def add(self, refused: OverRate, about: T) -> Seen[T] | None:
        """Take it in; gives another that has one of its records already, and then nothing is taken in. Raises
        Malformed."""
        ranges = offsets_of(refused)
        partition = refused.source_topic, refused.source_partition
        starts, runs = self._starts.setdefault(partition, []), self._runs.setdefault(partition, [])
        for run in ranges:
            at = bisect_right(starts, run.start)
            for _, other in [each for each in runs[max(0, at - 1) : at + 1] if _overlap(each[0], run)]:
                return other
        seen = Seen(refused, about, sum(map(len, ranges)))
        self._seen[place_of(refused)] = seen
        for run in ranges:
            at = bisect_right(starts, run.start)
            starts.insert(at, run.start)
            runs.insert(at, (run, seen))
        return None

    def of(self, source: Place) -> Seen[T] | None:
        """That which a record is of. source: its topic, partition and offset."""
        starts = self._starts.get(source[:2])
        if not starts:
            return None
        at = bisect_right(starts, source[2]) - 1
        run, seen = self._runs[source[:2]][at] if at >= 0 else (range(0), None)
        return seen if source[2] in run else None

    def at(self, place: Place) -> Seen[T] | None:
        """That which begins there."""
        return self._seen.get(place)

    def of_topic(self, topic: str) -> Iterator[Seen[T]]:
        return (seen for place, seen in self._seen.items() if place[0] == topic)

    def all(self) -> Mapping[Place, Seen[T]]:
        return self._seen


def _overlap(one: range, other: range) -> bool:
    return one.start < other.stop and other.start < one.stop
