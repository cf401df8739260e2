"""Rates out of times of arrival."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SteadyRate:
    """records: those between the two cuts. seconds: from the first to the last of them."""

    records: int
    seconds: float

    @property
    def per_second(self) -> float:
        return self.records / self.seconds


def steady_rate(times_ms: Sequence[int], *, skip_first: float = 0.2, skip_last: float = 0.05) -> SteadyRate:
    """Records per second between start-up and the end.

    times_ms: in any order. skip_first, skip_last: shares of the records, by time, that do not count: those that a job
    took in while it was still warming up, and the last batch. Raises ValueError for too few records to tell.
    """
    ordered = sorted(times_ms)
    first, last = int(len(ordered) * skip_first), len(ordered) - 1 - int(len(ordered) * skip_last)
    if last <= first or ordered[last] == ordered[first]:
        raise ValueError(f"{len(ordered)} records within one millisecond or none at all: too few for a rate")
    return SteadyRate(records=last - first, seconds=(ordered[last] - ordered[first]) / 1000)


def windows(times_ms: Sequence[int], seconds: float = 1.0) -> list[int]:
    """Records in each window of that length, from the first record on."""
    ordered = sorted(times_ms)
    if not ordered:
        return []
    counts = [0] * (int((ordered[-1] - ordered[0]) / (seconds * 1000)) + 1)
    for time_ms in ordered:
        counts[int((time_ms - ordered[0]) / (seconds * 1000))] += 1
    return counts
