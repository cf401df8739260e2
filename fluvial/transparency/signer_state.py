"""Where a log stands, in the bytes that travel beside a checkpoint: who reads on from there needs nothing before it.

The signer's next run goes on from it, and so does a participant that follows the log from the middle on. What is told
of the tree proves itself: it has the root that was signed (`of_checkpoint`). Where the next record lies, and the hash
that it names, is only where to look: what is read there must lead to the next signed root.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from fluvial.transparency.chain import FIRST_PREVIOUS_SHA256, ChainEnd
from fluvial.transparency.checkpoint import open_checkpoint
from fluvial.transparency.compact_range import CompactRange
from fluvial.transparency.note import NoteKey
from fluvial.wire.errors import VerificationError
from fluvial.wire.quick_init import quick_init

HEADER = "fluvial-tree"
"""Kafka header of a checkpoint that holds the state behind it."""

_VERSION = b"\x01"
_OFFSET_BYTES = 8
_EMPTY = CompactRange.empty()


@quick_init
@dataclass(frozen=True, slots=True, kw_only=True)
class SignerState:
    """The leaves appended so far: their compact range, the SHA-256 of the last one (32 bytes) and its offset in the
    topic (-1: none).
    """

    tree: CompactRange = _EMPTY
    previous_sha256: bytes = FIRST_PREVIOUS_SHA256
    last_offset: int = -1

    @property
    def end(self) -> ChainEnd:
        return ChainEnd(self.tree.size, self.previous_sha256)

    def dump(self) -> bytes:
        """Bytes to store: version, last offset (8 bytes big-endian, signed), hash of the last leaf, compact range."""
        return (
            _VERSION + self.last_offset.to_bytes(_OFFSET_BYTES, signed=True) + self.previous_sha256 + self.tree.dump()
        )

    @classmethod
    def load(cls, data: bytes) -> Self:
        """Read what `dump` wrote. Raises ValueError for anything else."""
        header = len(_VERSION) + _OFFSET_BYTES
        hashed = header + len(FIRST_PREVIOUS_SHA256)
        if not data.startswith(_VERSION) or len(data) <= hashed:
            raise ValueError("not a stored signer state of version 1")
        return cls(
            last_offset=int.from_bytes(data[len(_VERSION) : header], signed=True),
            previous_sha256=data[header:hashed],
            tree=CompactRange.load(data[hashed:]),
        )


def of_checkpoint(note: bytes, headers: Iterable[tuple[str, bytes]], log_key: NoteKey) -> SignerState | None:
    """The state behind a signed checkpoint; None where the log's key did not sign it, or what is beside it is no state
    of that size and root."""
    found = dict(headers).get(HEADER)
    try:
        checkpoint = open_checkpoint(note, log_key)
        state = SignerState.load(found) if found is not None else None
    except (VerificationError, ValueError):
        return None
    signed = (checkpoint.size, checkpoint.root)
    return state if state is not None and (state.tree.size, state.tree.root()) == signed else None
