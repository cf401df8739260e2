"""Records of a lane that wait for what travels on another topic, each until its time is over.

They are bounded: by number for each Kafka key, and by bytes where nobody known has signed them, because names are free.
A record is worth judging again only when registry or rounds have changed since; so a flood of names that nobody knows
costs two judgements each.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable

from fluvial.wire.records import Reason, Verdict
from pipelines.validation.waiting import State, Waiting

RETRY_MS = 100
"""Pause before the first look at a record; `retry_ms` for the looks after that."""

_LONGEST_RETRY_MS = 1_000

MAX_UNHEARD = 64
"""Records of one Kafka key that may wait; one more has its verdict at once."""

MAX_UNPROVEN_BYTES = 4 << 20
"""Bytes in one lane that may wait though no participant known has signed them."""

_UNPROVEN = frozenset({Reason.KEY_UNKNOWN, Reason.TOKEN_INVALID})


def retry_ms(waited_ms: int) -> int:
    """Pause before the next look at a record that has waited so long: a quarter of it, within bounds."""
    return min(max(RETRY_MS, waited_ms // 4), _LONGEST_RETRY_MS)


class Unheard:
    """See above. A record is either in here or not; its look time is `Waiting.look_at_ms`."""

    def __init__(self) -> None:
        self._of_key: dict[bytes | None, dict[int, Waiting]] = {}
        self._looks: list[tuple[int, int]] = []
        """A heap of (time, order); void where the record has left or has another time."""
        self._waiting: dict[int, Waiting] = {}
        self._unproven: dict[int, int] = {}
        self._unproven_bytes = 0

    @property
    def is_empty(self) -> bool:
        return not self._waiting

    def has_room(self, waiting: Waiting, verdict: Verdict) -> bool:
        """Whether the record may wait. verdict: what it would be refused with."""
        if len(self._of_key.get(waiting.record.key, ())) >= MAX_UNHEARD:
            return False
        unproven = len(waiting.record.value) if verdict.reason in _UNPROVEN else 0
        return self._unproven_bytes + unproven <= MAX_UNPROVEN_BYTES

    def add(self, waiting: Waiting, verdict: Verdict | None, now_ms: int) -> None:
        """verdict: as above; None for a record that waited before a restart, which is due at once."""
        waiting.state = State.UNHEARD
        self._of_key.setdefault(waiting.record.key, {})[waiting.order] = waiting
        self._waiting[waiting.order] = waiting
        if verdict is not None and verdict.reason in _UNPROVEN:
            self._unproven[waiting.order] = len(waiting.record.value)
            self._unproven_bytes += len(waiting.record.value)
        self._look_at(waiting, 0 if verdict is None else _next_look(waiting, now_ms))

    def remove(self, waiting: Waiting) -> None:
        del self._waiting[waiting.order]
        of_key = self._of_key[waiting.record.key]
        del of_key[waiting.order]
        if not of_key:
            del self._of_key[waiting.record.key]
        self._unproven_bytes -= self._unproven.pop(waiting.order, 0)

    def due(self, now_ms: int, knowledge: int, has_heard: Callable[[int], bool]) -> list[Waiting]:
        """Those to judge again, and with them those of the same keys of which more is known by now, in the order in
        which they came. has_heard: whether all is known that could have been said until a time."""

        def is_idle(waiting: Waiting) -> bool:
            may_wait = now_ms < waiting.refuse_at_ms or not has_heard(waiting.since_ms)
            return waiting.knowledge == knowledge and may_wait

        keys: dict[bytes | None, None] = {}
        while self._looks and self._looks[0][0] <= now_ms:
            at_ms, order = heapq.heappop(self._looks)
            waiting = self._waiting.get(order)
            if waiting is None or waiting.look_at_ms != at_ms:
                continue
            if is_idle(waiting):
                self._look_at(waiting, _next_look(waiting, now_ms))
            else:
                keys[waiting.record.key] = None
        every = [waiting for key in keys for waiting in self._of(key)]
        return [one for one in every if not is_idle(one)]

    def outdated(self, key: bytes | None, knowledge: int) -> list[Waiting]:
        """All of a key, in the order in which they came, if what is known has changed for any; else none."""
        of_key = self._of(key)
        return of_key if any(waiting.knowledge != knowledge for waiting in of_key) else []

    def next_look_ms(self) -> int | None:
        while self._looks:
            at_ms, order = self._looks[0]
            waiting = self._waiting.get(order)
            if waiting is not None and waiting.look_at_ms == at_ms:
                return at_ms
            heapq.heappop(self._looks)
        return None

    def _of(self, key: bytes | None) -> list[Waiting]:
        return [waiting for _, waiting in sorted(self._of_key.get(key, {}).items())]

    def _look_at(self, waiting: Waiting, at_ms: int) -> None:
        waiting.look_at_ms = at_ms
        heapq.heappush(self._looks, (at_ms, waiting.order))


def _next_look(waiting: Waiting, now_ms: int) -> int:
    """The last look within its time is at its end; later ones are for what is read from the log."""
    if now_ms >= waiting.refuse_at_ms:
        return now_ms + RETRY_MS
    return min(now_ms + retry_ms(now_ms - waiting.since_ms), waiting.refuse_at_ms)
