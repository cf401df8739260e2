"""Which events the log holds lately: an event that comes again gets no second leaf.

Flink state in blocks of ids in the order of the log, so that a bundle of events costs one write or two, and forgetting
removes a block. Mirrored in memory, read once.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Protocol

REMEMBERED_EVENTS = 65_536
"""How many of the newest event ids are recognised as repeats, at least. A stage repeats what it emitted after its last
checkpoint at most, which is far less."""

BLOCK = 1_024

_ID_BYTES = 16
_NUM_BLOCKS = REMEMBERED_EVENTS // BLOCK + 1


class BlockMap(Protocol):
    """What is used of Flink's MapState."""

    def items(self) -> Iterable[tuple[int, bytes]]: ...
    def put(self, key: int, value: bytes) -> None: ...
    def remove(self, key: int) -> None: ...


class SeenEvents:
    """The ids of the newest leaves. state: by block number the first bytes of the SHA-256 of its leaves' event ids."""

    def __init__(self, state: BlockMap) -> None:
        self._state = state
        self._blocks = {number: bytearray(data) for number, data in sorted(state.items())}
        self._ids = {id_ for block in self._blocks.values() for id_ in _ids(block)}
        self._changed: set[int] = set()

    def seen(self, event_id: str) -> bool:
        return _digest(event_id) in self._ids

    def add(self, event_id: str, sequence: int) -> None:
        """Note the event that became the leaf `sequence`, the next one; `flush` writes it."""
        number, digest = sequence // BLOCK, _digest(event_id)
        self._blocks.setdefault(number, bytearray()).extend(digest)
        self._ids.add(digest)
        self._changed.add(number)

    def flush(self) -> None:
        """Write what changed, and forget the oldest blocks."""
        for number in sorted(self._changed):
            self._state.put(number, bytes(self._blocks[number]))
        self._changed.clear()
        while len(self._blocks) > _NUM_BLOCKS:
            oldest = min(self._blocks)
            self._ids.difference_update(_ids(self._blocks.pop(oldest)))
            self._state.remove(oldest)


def _digest(event_id: str) -> bytes:
    return sha256(event_id.encode()).digest()[:_ID_BYTES]


def _ids(block: bytearray) -> list[bytes]:
    return [bytes(block[at : at + _ID_BYTES]) for at in range(0, len(block), _ID_BYTES)]
