"""Whether the record in force stands last under its key in the registry: compaction keeps the last, whatever it is.

Who may write to the topic may write a copy of a former record, a tombstone or junk behind the newest. Whoever has read
both believes the newest; a job that starts from a topic in which the other alone is left knows no better. So the stage
that signs for the registry writes what is in force again, as it was signed. Compaction begins a day after a record was
written (`min.compaction.lag.ms`), so this has a day's time. Pure, but for a lock: subtasks share it.

Each key has one such record under way at a time: what comes behind the newest until that one is read stands before it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable


class Standing:
    """in_force: the bytes of the record that is, by its key; None for a key that has none."""

    def __init__(self, in_force: Callable[[str], bytes | None]) -> None:
        self._in_force = in_force
        self._next = 0
        self._behind: set[str] = set()
        self._under_way: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def take(self, offset: int, key: bytes | None, value: bytes) -> None:
        """A record of the topic, which has one partition, once it is taken in. One that was met before is passed over.
        value: empty for a tombstone."""
        with self._lock:
            if offset < self._next:
                return
            self._next = offset + 1
            name = (key or b"").decode(errors="replace")
            if self._under_way.get(name) == value:
                del self._under_way[name]
            newest = self._in_force(name)
            if newest is None or newest == value:
                self._behind.discard(name)
            else:
                self._behind.add(name)

    def due(self) -> list[tuple[str, bytes]]:
        """What is to be written now: key and bytes."""
        with self._lock:
            names = sorted(self._behind - self._under_way.keys())
            found = [(name, newest) for name in names if (newest := self._in_force(name)) is not None]
            self._under_way.update(found)
            return found
