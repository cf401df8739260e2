"""Which records of the input topics have a verdict, as runs of offsets without a gap. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from heapq import merge

from pipelines.flink.offsets import Bounds, Gap

_Partition = tuple[str, int]


class JudgedPlaces:
    """Filled once, then asked. Verdicts come in the order in which they were given, not in that of their records."""

    def __init__(self) -> None:
        self._offsets: dict[_Partition, list[int]] = {}
        self._ranges: dict[_Partition, list[range]] = {}
        self._runs: dict[_Partition, tuple[list[int], list[int]]] = {}

    def add(self, topic: str, partition: int, offset: int) -> None:
        self._offsets.setdefault((topic, partition), []).append(offset)

    def add_ranges(self, topic: str, partition: int, ranges: Iterable[range]) -> None:
        self._ranges.setdefault((topic, partition), []).extend(ranges)

    def close(self) -> None:
        """All are added: offsets become runs."""
        for place in {**self._offsets, **self._ranges}:
            starts: list[int] = []
            ends: list[int] = []
            single = sorted(set(self._offsets.get(place, ())))
            ranges = sorted((run.start, run.stop) for run in self._ranges.get(place, ()))
            for start, end in merge(((offset, offset + 1) for offset in single), ranges):
                if ends and start <= ends[-1]:
                    ends[-1] = max(ends[-1], end)
                else:
                    starts.append(start)
                    ends.append(end)
            if starts:
                self._runs[place] = starts, ends
        self._offsets.clear()
        self._ranges.clear()

    def holds(self, topic: str, partition: int, offset: int) -> bool:
        runs = self._runs.get((topic, partition))
        if runs is None or offset >= runs[1][-1]:
            return False
        number = bisect_right(runs[0], offset) - 1
        return number >= 0 and offset < runs[1][number]

    def reached(self, topic: str) -> dict[int, int]:
        """By partition the offset behind its last record that has a verdict."""
        return {partition: ends[-1] for (of, partition), (_, ends) in self._runs.items() if of == topic}

    def first_wanted(self, topic: str, bounds: Mapping[int, Bounds]) -> dict[int, int]:
        """By partition the first offset there that has no verdict. bounds: what the partitions hold."""
        return {partition: self._first_missing(topic, partition, held.first) for partition, held in bounds.items()}

    def gaps(self, topic: str, bounds: Mapping[int, Bounds]) -> Iterator[Gap]:
        """Offsets that are gone and have no verdict, though some before them have. What lies before the first verdict
        is not told of: those verdicts may be gone, too."""
        for partition, held in sorted(bounds.items()):
            starts, ends = self._runs.get((topic, partition), ([], []))
            for number, end in enumerate(ends):
                until = starts[number + 1] if number + 1 < len(starts) else held.first
                if end < min(until, held.first):
                    yield Gap(partition, end, min(until, held.first))

    def _first_missing(self, topic: str, partition: int, offset: int) -> int:
        starts, ends = self._runs.get((topic, partition), ([], []))
        number = bisect_right(starts, offset) - 1
        return max(offset, ends[number]) if number >= 0 else offset
