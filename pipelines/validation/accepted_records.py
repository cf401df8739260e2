"""Which updates of a participant were accepted: the memory behind replay and equivocation checks.

Keyed state of a lane: participant to the records accepted from it, as one string of entries that only grows at its end
until some are forgotten. A round is forgotten `KEPT_ROUNDS` rounds later; from then on the stale-round check refuses a
replay. Crossing into Flink's state costs more than all else in a judgement, so what was used lately is mirrored in
memory, read once for each participant, and written once for each bundle.

    uint8 version, then each: uint8 length of the task's name, name, int32 round, int32 attempt, 32 bytes of SHA-256
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from typing import Protocol

from fluvial.wire.records import AcceptedUpdate

KEPT_ROUNDS = 64
"""More than the task file allows updates to lag behind: whatever may still be taken is remembered."""

_MIRRORED = 20_000
_VERSION = b"\x01"
_ENTRY = struct.Struct(">ii32s")
_SLACK = 32
"""Forgotten entries that may lie in the string before it is written without them."""


class ByteMap(Protocol):
    """What is used of Flink's MapState."""

    def get(self, key: str) -> bytes | None: ...
    def put_all(self, dict_value: dict[str, bytes]) -> None: ...


class SeenUpdates:
    """What one participant got accepted; answers the gate's `SeenView`. Only `remember` changes it.

    data: as `dump` gave it, None for a participant of whom nothing is known. Raises ValueError for another version.
    """

    def __init__(self, data: bytes | None = None) -> None:
        self._data = _VERSION
        self._rounds: dict[tuple[str, int], dict[int, bytes]] = {}
        self._digests: set[bytes] = set()
        self._forgotten = 0
        if data is not None:
            self._load(data)

    def accepted(self, task: str, round: int, attempt: int) -> bytes | None:
        """SHA-256 of the record accepted for this attempt, or None."""
        attempts = self._rounds.get((task, round))
        return attempts.get(attempt) if attempts else None

    def accepted_in_round(self, task: str, round: int) -> bool:
        """Whether an update for any attempt of the round was accepted."""
        return (task, round) in self._rounds

    def digest_seen(self, record_sha256: bytes) -> bool:
        return record_sha256 in self._digests

    def remember(self, update: AcceptedUpdate) -> None:
        self._remember(update.task, update.round, update.attempt, update.record_sha256)

    def dump(self) -> bytes:
        if self._forgotten > _SLACK:
            self._data = _VERSION + b"".join(
                _entry(task, round_, attempt, digest)
                for (task, round_), attempts in self._rounds.items()
                for attempt, digest in attempts.items()
            )
            self._forgotten = 0
        return self._data

    def _remember(self, task: str, round_: int, attempt: int, digest: bytes) -> None:
        self._data += _entry(task, round_, attempt, digest)
        self._rounds.setdefault((task, round_), {})[attempt] = digest
        self._digests.add(digest)
        past = self._rounds.pop((task, round_ - KEPT_ROUNDS), None)
        if past is not None:
            self._digests.difference_update(past.values())
            self._forgotten += len(past)

    def _load(self, data: bytes) -> None:
        """Remember all entries again in their order, so that the same are forgotten as before."""
        if data[:1] != _VERSION:
            raise ValueError(f"accepted updates of version {data[:1].hex()}; this job reads version {_VERSION.hex()}")
        at = 1
        while at < len(data):
            start = at + 1
            at = start + data[at]
            self._remember(data[start:at].decode(), *_ENTRY.unpack_from(data, at))
            at += _ENTRY.size


class SeenByParticipant:
    """The mirrors of the participants judged lately. state: Flink's, which stands for the lane being judged."""

    def __init__(self, state: ByteMap) -> None:
        self._state = state
        self._mirrors: OrderedDict[str, SeenUpdates] = OrderedDict()
        self._changed: dict[str, SeenUpdates] = {}

    def of(self, participant: str) -> SeenUpdates:
        """The memory of a participant of the lane being judged."""
        mirror = self._mirrors.get(participant)
        if mirror is None:
            mirror = self._changed.get(participant)
            if mirror is None:
                stored = self._state.get(participant)
                mirror = SeenUpdates(None if stored is None else bytes(stored))
            self._mirrors[participant] = mirror
            if len(self._mirrors) > _MIRRORED:
                self._mirrors.popitem(last=False)
        else:
            self._mirrors.move_to_end(participant)
        return mirror

    def remember(self, update: AcceptedUpdate) -> None:
        """Note an accepted update; `flush` writes it."""
        memory = self.of(update.participant)
        memory.remember(update)
        self._changed[update.participant] = memory

    def flush(self) -> None:
        """Write what changed. Before the lane being judged changes, and before the call into Python ends."""
        if self._changed:
            self._state.put_all({participant: memory.dump() for participant, memory in self._changed.items()})
            self._changed.clear()


class SeenLazily:
    """The memory of a claimed participant, looked up only when the gate asks, which it does of good signatures alone:
    whoever invents names must not push others out of memory."""

    __slots__ = ("_participant", "_seen")

    def __init__(self, seen: SeenByParticipant, participant: str) -> None:
        self._seen = seen
        self._participant = participant

    def accepted(self, task: str, round: int, attempt: int) -> bytes | None:
        return self._seen.of(self._participant).accepted(task, round, attempt)

    def accepted_in_round(self, task: str, round: int) -> bool:
        return self._seen.of(self._participant).accepted_in_round(task, round)

    def digest_seen(self, record_sha256: bytes) -> bool:
        return self._seen.of(self._participant).digest_seen(record_sha256)


def _entry(task: str, round_: int, attempt: int, digest: bytes) -> bytes:
    name = task.encode()
    return b"%c%b%b" % (len(name), name, _ENTRY.pack(round_, attempt, digest))
