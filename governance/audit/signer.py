"""Signs the log as it stands committed in the topic `audit`.

The signer reads committed records only, in order. What it signs can therefore never be taken back, and after a restart
it meets the same leaves again: any checkpoint that it signs then is consistent with every one that it signed before. A
record that does not continue the log (`fluvial.transparency.chain`) is never signed. The state behind a checkpoint goes
with it, as a header of its record, so that the next signer need not read the log from its beginning.
"""

from collections.abc import Sequence
from hashlib import sha256

from fluvial.identity.keys import SigningKey
from fluvial.transparency.chain import SHA256_FOLLOWS
from fluvial.transparency.checkpoint import Checkpoint, sign_checkpoint
from fluvial.transparency.merkle import leaf_hash
from fluvial.transparency.signer_state import SignerState
from fluvial.wire import framing
from fluvial.wire.errors import DecodeError, VerificationError
from fluvial.wire.records import SequencedEvent
from fluvial.wire.varint import consecutive_bytes


class NotNext(VerificationError):
    """A record of the topic `audit` that does not continue the log. ahead: whether it is a leaf of a place that the log
    has not reached, or has another leaf at its end for: then leaves before it are missing."""

    def __init__(self, message: str, *, ahead: bool = False) -> None:
        super().__init__(message)
        self.ahead = ahead


def append(state: SignerState, offset: int, leaf: bytes) -> SignerState:
    """Take in the next committed record of the topic `audit`.

    offset: of the record; grows, with gaps where transactions left their markers. leaf: its raw value. Raises NotNext
    unless the leaf is a SequencedEvent that continues the log.
    """
    if offset <= state.last_offset:
        raise NotNext(f"offset {offset} comes after offset {state.last_offset}")
    try:
        sequenced = framing.decode(leaf, SequencedEvent)
    except DecodeError as error:
        raise NotNext(f"leaf {state.tree.size} is no SequencedEvent: {error}") from error
    if sequenced.previous_sha256 != state.previous_sha256 or sequenced.sequence != state.tree.size:
        raise NotNext(state.end.why_not(sequenced), ahead=sequenced.sequence >= state.tree.size)
    return SignerState(
        tree=state.tree.append(leaf_hash(leaf)), previous_sha256=sha256(leaf).digest(), last_offset=offset
    )


def append_plain(
    state: SignerState, offsets: Sequence[int], leaves: Sequence[bytes], plain: Sequence[bool], start: int = 0
) -> tuple[SignerState, int]:
    """Take in the records from `start` on for as long as each is plain (`plain_events.leaves`) and continues the log.
    Returns the state behind them and the index of the first that was not taken: of that one `append` says what it is.

    offsets, leaves, plain: of each record of a bundle, as for `append`.
    """
    previous, last_offset = state.previous_sha256, state.last_offset
    row = start
    for place in consecutive_bytes(state.tree.size, len(leaves) - start):
        leaf, offset = leaves[row], offsets[row]
        named = place + SHA256_FOLLOWS + previous
        if not plain[row] or offset <= last_offset or not leaf.startswith(named, framing.HEADER_BYTES):
            break
        previous, last_offset, row = sha256(leaf).digest(), offset, row + 1
    if row == start:
        return state, start
    tree = state.tree.extend([leaf_hash(leaf) for leaf in leaves[start:row]])
    return SignerState(tree=tree, previous_sha256=previous, last_offset=last_offset), row


def checkpoint(state: SignerState, key: SigningKey, origin: str) -> bytes:
    """The log as it stands, signed: a C2SP checkpoint (UTF-8 text) for the topic `checkpoints`. origin: the log's and
    its key's name.
    """
    return sign_checkpoint(Checkpoint(origin=origin, size=state.tree.size, root=state.tree.root()), key)
