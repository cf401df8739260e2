"""Values that the subtasks of a process share: made by the first that asks, closed by the last that is done."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Generic, TypeVar

from fluvial.wire.foreign_text import logger

_log = logger(__name__)
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
        """The counterpart of `acquire`. Raises KeyError for what nobody uses, dropped for example."""
        with self._lock:
            entry = self._entries[key]
            entry.num_users -= 1
            if entry.num_users:
                return
            del self._entries[key]
        self._close(entry.value)

    def drop(self, is_gone: Callable[[K], bool]) -> None:
        """Close what has users that will not release it any more. is_gone: given the keys."""
        with self._lock:
            gone = [key for key in self._entries if is_gone(key)]
            entries = [self._entries.pop(key) for key in gone]
        for entry in entries:
            self._close(entry.value)


def ended_with(operator: object, end: Callable[[], object]) -> Callable[[], None]:
    """What calls `end` once: when it is called itself, or soon after nobody refers to the operator any more. `end` must
    not refer to it.

    PyFlink 2.3 in thread mode calls `close` of functions with two inputs alone; of others when their input ends, which
    that of a cancelled or failed job does not. Then the interpreter lets go of the function, in the midst of whatever a
    thread does, with its locks held; so a thread of the process's own ends what was the operator's.
    """
    with _ending_lock:
        if not _ending:
            _ending.append(threading.Thread(target=_end_what_is_left, name="endings", daemon=True))
            _ending[0].start()
    # A queue of this kind takes things from such a place.
    finalizer = weakref.finalize(operator, _left.put, end)
    finalizer.atexit = False

    def call() -> None:
        if finalizer.detach() is not None:
            end()

    return call


_left: SimpleQueue[Callable[[], object]] = SimpleQueue()
_ending: list[threading.Thread] = []
_ending_lock = threading.Lock()


def _end_what_is_left() -> None:
    while True:
        end = _left.get()
        try:
            end()
        except Exception:
            _log.exception("what an operator has left does not end in order")
        del end
