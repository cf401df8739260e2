"""Records of a lane that cannot be judged yet: who waits, for how long, and when to look again.

They lie in Flink state, each under its place in the log, and are mirrored in memory, so that a look at those that wait
costs no crossing. When to look again is memory only: after a restart all are looked at at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from governance.admission.gate import NeedsContent
from pipelines.flink.frames import SourceRecord, parse_source
from pipelines.validation.logic import ParkedRecord


class ParkedMap(Protocol):
    """What is used of Flink's MapState."""

    def items(self) -> Iterable[tuple[str, bytes]]: ...
    def put(self, key: str, value: bytes) -> None: ...
    def remove(self, key: str) -> None: ...


@dataclass(slots=True, kw_only=True)
class Waiting:
    """A parked record. look_at_ms: when to judge it again. needs: the content that it waits for, as last judged.
    reading: it is being read."""

    record: SourceRecord
    parked: ParkedRecord
    look_at_ms: int
    needs: NeedsContent | None = None
    reading: bool = False

    @property
    def place(self) -> str:
        return _place(self.record)


class Parking:
    """The parked records of the lanes of one subtask. state: Flink's, which stands for the lane being judged."""

    def __init__(self, state: ParkedMap) -> None:
        self._state = state
        self._lanes: dict[str, dict[str, Waiting]] = {}
        self._timers: dict[str, int] = {}
        self._num_parked: Counter[bytes | None] = Counter()

    def num_parked(self, lane: str, key: bytes | None) -> int:
        """How many records with this Kafka key, which is on that lane, wait."""
        self._of(lane)
        return self._num_parked[key]

    def repeats(self, lane: str, waiting: Waiting) -> bool:
        """Whether a record with these very bytes came before and waits."""
        for one in self._of(lane).values():
            if one is waiting:
                return False
            if one.record.value == waiting.record.value:
                return True
        return False

    def add(self, lane: str, record: SourceRecord, parked: ParkedRecord, look_at_ms: int) -> Waiting:
        waiting_here = self._of(lane)
        self._state.put(_place(record), parked.dump())
        waiting = waiting_here[_place(record)] = Waiting(record=record, parked=parked, look_at_ms=look_at_ms)
        self._num_parked[record.key] += 1
        return waiting

    def remove(self, lane: str, waiting: Waiting) -> None:
        self._state.remove(waiting.place)
        del self._of(lane)[waiting.place]
        self._num_parked[waiting.record.key] -= 1
        if not self._num_parked[waiting.record.key]:
            del self._num_parked[waiting.record.key]

    def due(self, lane: str, now_ms: int) -> list[Waiting]:
        """Those to judge again, in the order in which they came."""
        return [waiting for waiting in self._of(lane).values() if waiting.look_at_ms <= now_ms]

    def next_timer(self, lane: str, fired_ms: int = 0) -> int | None:
        """When to look at the lane next, where no timer for it is set yet. fired_ms: time of the timer that fired."""
        if self._timers.get(lane, 0) <= fired_ms:
            self._timers.pop(lane, None)
        first = min((waiting.look_at_ms for waiting in self._of(lane).values()), default=None)
        if first is None or first >= self._timers.get(lane, first + 1):
            return None
        self._timers[lane] = first
        return first

    def _of(self, lane: str) -> dict[str, Waiting]:
        known = self._lanes.get(lane)
        if known is None:
            known = self._lanes[lane] = {}
            for place, data in sorted(self._state.items(), key=lambda item: _order(item[0])):
                parked = ParkedRecord.load(bytes(data))
                known[place] = Waiting(record=parse_source(parked.frame), parked=parked, look_at_ms=0)
                self._num_parked[known[place].record.key] += 1
        return known


def _place(record: SourceRecord) -> str:
    return f"{record.partition}@{record.offset}"


def _order(place: str) -> tuple[int, ...]:
    return tuple(int(number) for number in place.split("@"))
