"""Chunks whose digest was checked in this process, so that a second reader of the same record need not hash it again.

A record of the log does not change, and the client checks the broker's CRC-32C each time it reads one. The memory is
bounded and may forget: then the chunk is hashed again.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from hashlib import sha256

from fluvial.wire.records import ChunkReference

_REMEMBERED = 65_536

_Key = tuple[str, int, int, bytes]


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


def _key(topic: str, reference: ChunkReference) -> _Key:
    return topic, reference.partition, reference.offset, reference.sha256


CHECKED = CheckedChunks()
"""The checked chunks of this process."""
