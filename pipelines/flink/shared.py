"""Values that the subtasks of a process share: made by the first that asks, closed by the last that is done."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


@dataclass(slots=True)
class _Entry(Generic[T]):
    value: T
    num_users: int = 0


class Shared(Generic[K, T]):
    """One value for each key, as long as somebody uses it. Safe to use from several threads.

    Whoever asks for a key while its value is being made waits for it; if making it raises, it raises there, and the
    next one tries again. close: given a value that nobody uses any more.
    """

    def __init__(self, close: Callable[[T], None] = lambda value: None) -> None:
        self._close = close
        self._entries: dict[K, _Entry[T]] = {}
        self._lock = threading.Lock()

    def acquire(self, key: K, make: Callable[[], T]) -> T:
        """The value of the key. Each call is followed by one of `release`."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                entry = self._entries[key] = _Entry(make())
            entry.num_users += 1
            return entry.value

    def release(self, key: K) -> None:
        """The counterpart of `acquire`."""
        with self._lock:
            entry = self._entries[key]
            entry.num_users -= 1
            if entry.num_users:
                return
            del self._entries[key]
        self._close(entry.value)
