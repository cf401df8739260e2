"""Long work in short slices, so that several tasks share a subtask and checkpoints come through.

Work is a generator that yields wherever it may be interrupted, and returns its result. Pure: who calls, decides when.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from typing import Generic, TypeVar

T = TypeVar("T")

Work = Generator[None, None, T]


class Pace:
    """Says when a slice is over. A slice is counted in bytes, so that work does not depend on the clock."""

    def __init__(self, slice_bytes: int) -> None:
        self._slice_bytes = slice_bytes
        self._spent = 0

    def is_over(self, num_bytes: int) -> bool:
        """Whether the slice is over after so many further bytes; if so, the next one begins."""
        self._spent += num_bytes
        if self._spent < self._slice_bytes:
            return False
        self._spent = 0
        return True


class Turns(Generic[T]):
    """Pieces of work with names; each gets a slice in turn."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[str, Work[T]]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, name: str) -> bool:
        return any(name == other for other, _ in self._waiting)

    def add_first(self, name: str, work: Work[T]) -> None:
        """Work that has the next slice: what has just come is usually short."""
        self._waiting.appendleft((name, work))

    def add(self, name: str, work: Work[T]) -> None:
        """Work that waits until all other work has had a slice."""
        self._waiting.append((name, work))

    def take(self) -> tuple[str, T] | None:
        """One slice of the work whose turn it is. Its name and result if that ended it."""
        if not self._waiting:
            return None
        name, work = self._waiting.popleft()
        try:
            next(work)
        except StopIteration as stop:
            return name, stop.value
        self._waiting.append((name, work))
        return None
