"""Which updates of a participant were accepted: the memory behind replay and equivocation checks.

Keyed state of the participant: round to the records accepted in it. A round is dropped `KEPT_ROUNDS` rounds later; from
then on the stale-round check refuses a replay. Crossing into Flink's state costs more than all else in a judgement, so
it is mirrored in memory, read once for each participant and written through.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Iterable
from typing import Protocol

from fluvial.wire.records import AcceptedUpdate

KEPT_ROUNDS = 64

_MIRRORED = 20_000
_ENTRY = struct.Struct(">i32s")


class ByteMap(Protocol):
    """What is used of Flink's MapState."""

    def items(self) -> Iterable[tuple[str, bytes]]: ...
    def put(self, key: str, value: bytes) -> None: ...
    def remove(self, key: str) -> None: ...


class SeenUpdates:
    """What one participant got accepted; answers the gate's `SeenView`. Only `remember` changes it."""

    def __init__(self, state: ByteMap) -> None:
        self._state = state
        self._rounds = {key: bytes(value) for key, value in state.items()}
        self._digests = {digest for value in self._rounds.values() for _, digest in _ENTRY.iter_unpack(value)}

    def accepted(self, task: str, round: int, attempt: int) -> bytes | None:
        """SHA-256 of the record accepted for this attempt, or None."""
        for entry_attempt, digest in _ENTRY.iter_unpack(self._rounds.get(_key(task, round), b"")):
            if entry_attempt == attempt:
                return bytes(digest)
        return None

    def digest_seen(self, record_sha256: bytes) -> bool:
        return record_sha256 in self._digests

    def remember(self, update: AcceptedUpdate) -> None:
        key = _key(update.task, update.round)
        self._rounds[key] = self._rounds.get(key, b"") + _ENTRY.pack(update.attempt, update.record_sha256)
        self._state.put(key, self._rounds[key])
        self._digests.add(update.record_sha256)
        past = _key(update.task, update.round - KEPT_ROUNDS)
        if past in self._rounds:
            self._digests -= {digest for _, digest in _ENTRY.iter_unpack(self._rounds.pop(past))}
            self._state.remove(past)


class SeenByParticipant:
    """The mirrors of the participants judged lately. state: Flink's, which stands for the participant being judged."""

    def __init__(self, state: ByteMap) -> None:
        self._state = state
        self._mirrors: OrderedDict[str, SeenUpdates] = OrderedDict()

    def of(self, participant: str) -> SeenUpdates:
        """The memory of the participant whose record is being judged."""
        mirror = self._mirrors.get(participant)
        if mirror is None:
            mirror = self._mirrors[participant] = SeenUpdates(self._state)
            if len(self._mirrors) > _MIRRORED:
                self._mirrors.popitem(last=False)
        else:
            self._mirrors.move_to_end(participant)
        return mirror


def _key(task: str, round: int) -> str:
    return f"{task}/{round}"
