"""Which updates of a participant were accepted: the memory behind replay and equivocation checks.

Two maps, keyed state of the participant: round to what was accepted in it, and digest of an accepted record to its
round. A round's entries are dropped `KEPT_ROUNDS` rounds later; from then on the stale-round check refuses a replay.
"""

from __future__ import annotations

import struct
from typing import Protocol

from fluvial.wire.records import AcceptedUpdate

KEPT_ROUNDS = 64

_ENTRY = struct.Struct(">i32s")


class ByteMap(Protocol):
    """What is used of Flink's MapState."""

    def get(self, key: str) -> bytes | None: ...
    def put(self, key: str, value: bytes) -> None: ...
    def remove(self, key: str) -> None: ...
    def contains(self, key: str) -> bool: ...


class SeenUpdates:
    """Answers the gate's `SeenView`; only `remember` changes it, and only for accepted updates."""

    def __init__(self, accepted: ByteMap, digests: ByteMap) -> None:
        self._accepted = accepted
        self._digests = digests

    def accepted(self, task: str, round: int, attempt: int) -> bytes | None:
        """SHA-256 of the record accepted for this attempt, or None."""
        for entry_attempt, digest in self._entries(task, round):
            if entry_attempt == attempt:
                return digest
        return None

    def digest_seen(self, record_sha256: bytes) -> bool:
        return self._digests.contains(record_sha256.hex())

    def remember(self, update: AcceptedUpdate) -> None:
        key = _key(update.task, update.round)
        entry = _ENTRY.pack(update.attempt, update.record_sha256)
        self._accepted.put(key, bytes(self._accepted.get(key) or b"") + entry)
        self._digests.put(update.record_sha256.hex(), b"")
        past = update.round - KEPT_ROUNDS
        for _, digest in self._entries(update.task, past):
            self._digests.remove(digest.hex())
        if past > 0:
            self._accepted.remove(_key(update.task, past))

    def _entries(self, task: str, round: int) -> list[tuple[int, bytes]]:
        data = self._accepted.get(_key(task, round)) if round > 0 else None
        return list(_ENTRY.iter_unpack(bytes(data))) if data else []


def _key(task: str, round: int) -> str:
    return f"{task}/{round}"
