"""Signs the log as it stands committed in the topic `audit`.

The signer reads committed records only, in order. What it signs can therefore never be taken back, and after a restart
it meets the same leaves again: any checkpoint that it signs then is consistent with every one that it signed before. It
refuses to go on over a gap, a repeat or a broken chain, since a signature over such a log would vouch for what an
auditor must reject.
"""

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Self

from fluvial.identity.keys import SigningKey
from fluvial.transparency.checkpoint import Checkpoint, sign_checkpoint
from fluvial.transparency.compact_range import CompactRange
from fluvial.transparency.merkle import leaf_hash
from fluvial.wire import framing
from fluvial.wire.errors import DecodeError, VerificationError
from fluvial.wire.records import SequencedEvent
from governance.audit.sequencer import FIRST_PREVIOUS_SHA256

_VERSION = b"\x01"
_OFFSET_BYTES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerState:
    """The leaves appended so far: their compact range, the SHA-256 of the last one (32 bytes) and its offset in the
    topic (-1: none).
    """

    tree: CompactRange = field(default_factory=CompactRange.empty)
    previous_sha256: bytes = FIRST_PREVIOUS_SHA256
    last_offset: int = -1

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


def append(state: SignerState, offset: int, leaf: bytes) -> SignerState:
    """Take in the next committed record of the topic `audit`.

    offset: of the record; grows, with gaps where transactions left their markers. leaf: its raw value. Raises
    VerificationError unless the leaf is a SequencedEvent that continues the chain.
    """
    if offset <= state.last_offset:
        raise VerificationError(f"audit offset {offset} comes after offset {state.last_offset}")
    try:
        sequenced = framing.decode(leaf, SequencedEvent)
    except DecodeError as error:
        raise VerificationError(f"audit record at offset {offset} is no SequencedEvent: {error}") from error
    if sequenced.sequence != state.tree.size:
        raise VerificationError(f"audit offset {offset} has sequence {sequenced.sequence}, not {state.tree.size}")
    if sequenced.previous_sha256 != state.previous_sha256:
        raise VerificationError(f"leaf {sequenced.sequence} at audit offset {offset} does not name the leaf before it")
    return SignerState(
        tree=state.tree.append(leaf_hash(leaf)), previous_sha256=sha256(leaf).digest(), last_offset=offset
    )


def checkpoint(state: SignerState, key: SigningKey, origin: str) -> bytes:
    """The log as it stands, signed: a C2SP checkpoint (UTF-8 text) for the topic `checkpoints`. origin: the log's and
    its key's name.
    """
    return sign_checkpoint(Checkpoint(origin=origin, size=state.tree.size, root=state.tree.root()), key)
