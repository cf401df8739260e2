"""Chunks that were read on the way to others, until somebody asks for them."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

_STALE_AFTER_S = 30.0


class Chunk(NamedTuple):
    """A record of a topic of chunks. key: its Kafka key, which says who uploaded it."""

    key: bytes | None
    value: bytes


class ChunkCache:
    """Chunks by (partition, offset) within a byte budget; old entries give way, young ones are not pushed out."""

    def __init__(self, budget_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._budget = budget_bytes
        self._clock = clock
        self._entries: OrderedDict[tuple[int, int], tuple[Chunk, float]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def offer(self, partition: int, offset: int, chunk: Chunk) -> bool:
        """Keep the chunk if there is room, or if stale entries can make room. Says whether it was kept."""
        now = self._clock()
        with self._lock:
            size = len(chunk.value)
            while self._bytes + size > self._budget and self._entries:
                oldest, (old_chunk, since) = next(iter(self._entries.items()))
                if now - since < _STALE_AFTER_S:
                    return False
                del self._entries[oldest]
                self._bytes -= len(old_chunk.value)
            if self._bytes + size > self._budget:
                return False
            if (partition, offset) not in self._entries:
                self._entries[partition, offset] = chunk, now
                self._bytes += size
            return True

    def take(self, partition: int, offset: int) -> Chunk | None:
        """The chunk, which leaves the cache, or None."""
        with self._lock:
            entry = self._entries.pop((partition, offset), None)
            if entry is None:
                return None
            self._bytes -= len(entry[0].value)
            return entry[0]
