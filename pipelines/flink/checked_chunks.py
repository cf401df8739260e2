"""Chunks whose digest and numbers were checked in a process: what is known of them need not be found out again.

A record of the log does not change, and the client checks the broker's CRC-32C each time it reads one. So a second
reader need not hash it, and who wants its bytes can have them while they are in memory. The memory is bounded and may
forget: then the chunk is read and hashed again.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable
from hashlib import sha256

from fluvial.wire.layout import chunk_partition
from fluvial.wire.records import ChunkReference, ModelUpdate, Round

_REMEMBERED = 65_536

_Key = tuple[str, int, int, bytes]

Listener = Callable[[Round, int, bytes, ModelUpdate, bytes], None]
"""Round, index of the chunk, digest of the update's record, the update, the chunk's bytes. The update may yet be
refused: for another chunk, or for its norm."""


class CheckedChunks:
    """The references, by topic, that were found to be true. Safe to use from several threads."""

    def __init__(self, remembered: int = _REMEMBERED) -> None:
        self._remembered = remembered
        self._seen: OrderedDict[_Key, None] = OrderedDict()
        self._lock = threading.Lock()

    def remember(self, topic: str, reference: ChunkReference) -> None:
        """The digest of this chunk was checked and is right."""
        with self._lock:
            self._seen[_key(topic, reference)] = None
            while len(self._seen) > self._remembered:
                self._seen.popitem(last=False)

    def matches(self, topic: str, reference: ChunkReference, chunk: bytes) -> bool:
        """Whether the chunk is the one referred to: known from before, or hashed now."""
        if len(chunk) != reference.length:
            return False
        with self._lock:
            if _key(topic, reference) in self._seen:
                return True
        return sha256(chunk).digest() == reference.sha256


class Announcements:
    """Hands chunks on to the shards of this process when they have been checked. A chunk whose shard works elsewhere is
    told to nobody: its sum would be made for nothing. Safe to use from several threads.

    num_shards: of every model, as `fluvial.wire.layout.chunk_partition` deals its chunks out.
    """

    def __init__(self, num_shards: int) -> None:
        self._num_shards = num_shards
        self._listeners: dict[int, Counter[Listener]] = {}
        self._lock = threading.Lock()

    def subscribe(self, shard: int, listener: Listener) -> Callable[[], None]:
        """Hear of every chunk of the shard from now on, once, however often the same listener subscribes. Returns what
        ends this subscription."""
        with self._lock:
            self._listeners.setdefault(shard, Counter())[listener] += 1

        def unsubscribe() -> None:
            with self._lock:
                self._listeners[shard] -= Counter({listener: 1})

        return unsubscribe

    def announce(self, round_: Round, index: int, record_sha256: bytes, update: ModelUpdate, chunk: bytes) -> None:
        """Tell the listeners, in the caller's thread. What they raise is raised."""
        shard = chunk_partition(round_.task, index, self._num_shards)
        with self._lock:
            listeners = list(self._listeners.get(shard, ()))
        for listener in listeners:
            listener(round_, index, record_sha256, update, chunk)


def _key(topic: str, reference: ChunkReference) -> _Key:
    return topic, reference.partition, reference.offset, reference.sha256
