"""Gives every audit event its place: a gap-free sequence number and the hash of the leaf before it.

The raw bytes of the resulting SequencedEvent are the leaf of the log. This module signs nothing: what it emits counts
only when it stands committed in the topic `audit` (`signer.py` takes it from there). Remembering which ids were seen is
the caller's state.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import Self

from fluvial.wire import framing
from fluvial.wire.records import AuditEvent, SequencedEvent

FIRST_PREVIOUS_SHA256 = bytes(32)
MAX_LEAF_BYTES = 65_535  # so that a leaf fits an entry of C2SP tlog-tiles

_VERSION = b"\x01"
_SEQUENCE_BYTES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class SequencerState:
    """next_sequence: the place of the next leaf, which is also the number of leaves so far. previous_sha256: of the
    last leaf, 32 bytes.
    """

    next_sequence: int = 0
    previous_sha256: bytes = FIRST_PREVIOUS_SHA256

    def dump(self) -> bytes:
        """Bytes to store: version, next sequence (8 bytes big-endian), hash."""
        return _VERSION + self.next_sequence.to_bytes(_SEQUENCE_BYTES) + self.previous_sha256

    @classmethod
    def load(cls, data: bytes) -> Self:
        """Read what `dump` wrote. Raises ValueError for anything else."""
        header = len(_VERSION) + _SEQUENCE_BYTES
        if not data.startswith(_VERSION) or len(data) != header + len(FIRST_PREVIOUS_SHA256):
            raise ValueError("not a stored sequencer state of version 1")
        return cls(next_sequence=int.from_bytes(data[len(_VERSION) : header]), previous_sha256=data[header:])


def append(state: SequencerState, event: AuditEvent, seen: bool) -> tuple[SequencerState, bytes | None]:
    """Put an event of the topic `events` at the end of the log.

    Returns the state after it and the leaf; the state as it was and None for an event that was seen before. Raises
    ValueError for an event too large for a leaf: a fault of the stage that wrote it.
    """
    if seen:
        return state, None
    leaf = framing.encode(
        SequencedEvent(sequence=state.next_sequence, previous_sha256=state.previous_sha256, event=event)
    )
    if len(leaf) > MAX_LEAF_BYTES:
        raise ValueError(f"event {event.id} makes a leaf of {len(leaf)} bytes; at most {MAX_LEAF_BYTES} are allowed")
    return SequencerState(next_sequence=state.next_sequence + 1, previous_sha256=sha256(leaf).digest()), leaf
