"""Exact sums of the rounds that are open, by chunk: a cache over the log that the operators of a process share.

Whoever reads an update's chunk may add it, above all the content check, so that the log is read once. A sum knows what
is in it, and `take` says what it still differs by from what the rule decided: updates that are missing, that were
refused, left out or late, that have another coefficient. Sums are integers and form a group, so with the difference
made up the sum has the bits of one that was made in one go. The cache may be empty at any time: after a crash, in a
job of its own, or where the budget is used up.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from fluvial import encoding
from fluvial.encoding import Span
from fluvial.wire.layout import chunk_length
from fluvial.wire.records import AcceptedUpdate, ModelUpdate, Round
from models.aggregation.contribution import add_chunk
from models.aggregation.fixed_point import ChunkSum

_BYTES_PER_ELEMENT = 8
_IDLE_SECONDS = 60.0
"""Sums of a round that nobody touched for so long make room for those of another."""

_RoundKey = tuple[str, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Addend:
    """An update as it enters a sum: coefficient * 2**-shift * values. It is known by the digest of its record."""

    record_sha256: bytes
    update: AcceptedUpdate | ModelUpdate
    coefficient: int
    shift: int = 0


@dataclass(slots=True)
class _Entry:
    """The sum of one chunk, and what is in it. The lock is held while either changes; then `taken` is looked at."""

    total: ChunkSum
    included: dict[bytes, Addend] = field(default_factory=dict)
    taken: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(slots=True)
class _RoundSums:
    """Sums of one attempt of a round. closed: the first sum was taken, and nothing is added any more."""

    entries: dict[int, _Entry] = field(default_factory=dict)
    closed: bool = False
    touched: float = 0.0


class ExactSums:
    """The sums of a process. Safe to use from several threads; sums of different chunks do not wait for each other."""

    def __init__(self, budget_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._budget = budget_bytes
        self._clock = clock
        self._rounds: dict[_RoundKey, _RoundSums] = {}
        self._bytes = 0
        self._lock = threading.Lock()

    @property
    def num_bytes(self) -> int:
        """What the sums hold now."""
        return self._bytes

    def add(self, round_: Round, index: int, addend: Addend, raw: bytes | memoryview) -> bool:
        """Add the chunk `index` that `raw` encodes, once. The caller has checked its digest and its numbers.

        False if the sum does not hold it then: the round is over here, or there is no room. Raises ValueError for
        bytes that do not fit; then what the chunk's sum held is forgotten.
        """
        entry = self._entry(round_, index)
        if entry is None:
            return False
        with entry.lock:
            if entry.taken:
                return False
            if addend.record_sha256 not in entry.included:
                try:
                    add_to(entry.total, round_, index, addend, addend.coefficient, raw)
                except BaseException:
                    entry.total.clear()
                    entry.included.clear()
                    raise
                entry.included[addend.record_sha256] = addend
        return True

    def accepts(self, round_: Round, index: int, record_sha256: bytes) -> bool:
        """Whether `add` would now change the sum: the update is not in it, the round is open and there is room."""
        entry = self._entry(round_, index)
        return entry is not None and record_sha256 not in entry.included

    def take(self, round_: Round, index: int, wanted: Sequence[Addend]) -> tuple[ChunkSum, list[tuple[Addend, int]]]:
        """The sum of a chunk, which leaves the cache, and what the caller must add to it, with which coefficient, so
        that it is the sum of exactly the wanted addends.

        A negative coefficient of an addend that is not wanted takes it back. Where it can no longer be read, `clear`
        the sum and add all that is wanted. From here on nothing is added to the round.
        """
        with self._lock:
            sums = self._current(round_)
            entry = None
            if sums is not None:
                sums.closed = True
                entry = sums.entries.pop(index, None)
            if entry is not None:
                self._bytes -= _size(entry)
        by_record = {addend.record_sha256: addend for addend in wanted}
        if entry is not None:
            # Whoever is adding to it finishes first.
            with entry.lock:
                entry.taken = True
            changes = _changes(entry.included, by_record)
            if len(changes) <= len(wanted):
                return entry.total, changes
        # Less is read when the sum starts again.
        return zero_sum(round_, index), _changes({}, by_record)

    def forget(self, task: str) -> None:
        """Drop all sums of a task."""
        with self._lock:
            for key in [key for key in self._rounds if key[0] == task]:
                self._remove(key)

    def _entry(self, round_: Round, index: int) -> _Entry | None:
        """The entry of a chunk, made where there is room. None if nothing may be added."""
        with self._lock:
            sums = self._current(round_)
            if sums is None or sums.closed:
                return None
            sums.touched = self._clock()
            entry = sums.entries.get(index)
            if entry is None:
                size = _BYTES_PER_ELEMENT * chunk_length(index, round_.num_elements, round_.chunk_elements)
                if not self._make_room(size):
                    return None
                self._bytes += size
                entry = sums.entries[index] = _Entry(zero_sum(round_, index))
            return entry

    def _current(self, round_: Round) -> _RoundSums | None:
        """Sums of the round if it is the newest of its task that was heard of; what came before it is dropped."""
        key = round_.task, round_.round, round_.attempt
        if key not in self._rounds:
            others = [other for other in self._rounds if other[0] == round_.task]
            if any(other > key for other in others):
                return None
            for other in others:
                self._remove(other)
            self._rounds[key] = _RoundSums(touched=self._clock())
        return self._rounds[key]

    def _make_room(self, size: int) -> bool:
        """Whether so many bytes fit, at the expense of rounds that nobody asks for any more."""
        for key in list(self._rounds):
            if self._bytes + size > self._budget and self._clock() - self._rounds[key].touched > _IDLE_SECONDS:
                self._remove(key)
        return self._bytes + size <= self._budget

    def _remove(self, key: _RoundKey) -> None:
        self._bytes -= sum(_size(entry) for entry in self._rounds.pop(key).entries.values())


def add_to(
    total: ChunkSum, round_: Round, index: int, addend: Addend, coefficient: int, raw: bytes | memoryview
) -> None:
    """Add coefficient * the chunk `index` of an update, which `raw` encodes. Raises ValueError if they do not fit."""
    add_chunk(
        total,
        raw,
        encoding=addend.update.encoding,
        span=Span.of(round_, index),
        scales=addend.update.scales,
        weight=coefficient,
        shift=addend.shift,
    )


def zero_sum(round_: Round, index: int) -> ChunkSum:
    """The empty sum of a chunk."""
    return ChunkSum(chunk_length(index, round_.num_elements, round_.chunk_elements), round_.fraction_bits)


def _changes(included: Mapping[bytes, Addend], wanted: Mapping[bytes, Addend]) -> list[tuple[Addend, int]]:
    """What has to be added, and with which coefficient, to a sum of `included` so that it is one of `wanted`."""
    changes: list[tuple[Addend, int]] = []
    for record in {**included, **wanted}:
        before, after = included.get(record), wanted.get(record)
        if before and after and before.shift == after.shift and encoding.get(after.update.encoding).additive:
            changes.append((after, after.coefficient - before.coefficient))
        elif before != after:
            # How it enters depends on the shift, and of some encodings on the coefficient: a difference is not one
            # of coefficients.
            changes += [(before, -before.coefficient)] if before else []
            changes += [(after, after.coefficient)] if after else []
    return [(addend, coefficient) for addend, coefficient in changes if coefficient]


def _size(entry: _Entry) -> int:
    return _BYTES_PER_ELEMENT * entry.total.values.size
