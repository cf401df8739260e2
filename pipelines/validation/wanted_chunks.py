"""What updates under check want of one partition, in the order of the log. Who calls holds a lock over all of them."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")

Wanted = tuple[int, int, T]
"""Offset, index of the chunk in its update, who wants it."""


@dataclass(slots=True)
class WantedChunks(Generic[T]):
    """num_threads: at it, or told to be. reading: held by the one of them that reads, so that reading goes forward.
    turn_began_s: when that one began. not_before_s: when to try again."""

    num_threads: int = 0
    turn_began_s: float = 0.0
    not_before_s: float = 0.0
    reading: threading.Lock = field(default_factory=threading.Lock)
    _wanted: list[Wanted[T]] = field(default_factory=list)
    _num_taken: int = 0
    _is_sorted: bool = True

    def __len__(self) -> int:
        return len(self._wanted) - self._num_taken

    def add(self, wanted: Iterable[Wanted[T]]) -> None:
        """Ask for more."""
        self._wanted += wanted
        self._is_sorted = False

    def forget(self, who: T) -> None:
        """Drop what one has asked for and nobody has taken."""
        self._wanted = [item for item in self._wanted[self._num_taken :] if item[2] is not who]
        self._num_taken = 0

    def take(self) -> Wanted[T] | None:
        """The next in the order of the log."""
        wanted = self._in_order()
        if self._num_taken == len(wanted):
            wanted.clear()
            self._num_taken = 0
            return None
        self._num_taken += 1
        return wanted[self._num_taken - 1]

    def num_between(self, first: int, end: int) -> int:
        """How many are wanted from one offset to before another."""
        wanted = self._in_order()
        low = bisect_left(wanted, first, self._num_taken, key=_offset)
        return bisect_left(wanted, end, low, key=_offset) - low

    def _in_order(self) -> list[Wanted[T]]:
        """Sorted: it comes in runs that are, which sorting merges."""
        if not self._is_sorted:
            del self._wanted[: self._num_taken]
            self._num_taken = 0
            self._wanted.sort(key=_in_log)
            self._is_sorted = True
        return self._wanted


def _offset(wanted: Wanted[T]) -> int:
    return wanted[0]


def _in_log(wanted: Wanted[T]) -> tuple[int, int]:
    return wanted[:2]
