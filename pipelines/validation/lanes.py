"""The lanes of one subtask: each opened from Flink's state at its first use, with one timer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from pipelines.flink.frames import SourceRecord
from pipelines.validation.record_life import Lane
from pipelines.validation.waiting import Waiting


class ParkedMap(Protocol):
    """What is used of Flink's MapState."""

    def values(self) -> Iterable[bytes]: ...
    def put(self, key: str, value: bytes) -> None: ...
    def remove(self, key: str) -> None: ...


class Lanes:
    """state: Flink's, of the records that wait; it stands for the lane in hand. make: a lane where nothing waits.
    has_verdict: whether the log has a verdict on a record; one that waits in a savepoint may have got it since."""

    def __init__(self, state: ParkedMap, make: Callable[[], Lane], has_verdict: Callable[[SourceRecord], bool]) -> None:
        self._state = state
        self._make = make
        self._has_verdict = has_verdict
        self._lanes: dict[str, Lane] = {}
        self._timers: dict[str, int] = {}

    def of(self, key: str) -> Lane:
        """The lane in hand. key: Flink's current one."""
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = self._make()
            lane.restore(self._kept())
        return lane

    def _kept(self) -> list[Waiting]:
        waiting = []
        for one in [Waiting.load(bytes(dump)) for dump in self._state.values()]:
            if self._has_verdict(one.record):
                self._state.remove(one.key)
            else:
                waiting.append(one)
        return waiting

    def keep(self, waiting: Waiting) -> None:
        self._state.put(waiting.key, waiting.dump())

    def drop(self, waiting: Waiting) -> None:
        self._state.remove(waiting.key)

    def next_timer(self, key: str, now_ms: int, fired_ms: int = 0) -> int | None:
        """When to look at the lane next, where no timer for it is set yet. fired_ms: time of the timer that fired."""
        if self._timers.get(key, 0) <= fired_ms:
            self._timers.pop(key, None)
        first = self._lanes[key].next_look_ms(now_ms)
        if first is None or first >= self._timers.get(key, first + 1):
            return None
        self._timers[key] = first
        return first
