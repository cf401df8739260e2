"""Where a participant that has seen nothing of the audit log begins: at a checkpoint of before what concerns it.

A checkpoint stands for all leaves before it, and the state that the signer writes beside it (`fluvial.transparency.
signer_state`) is one with its root. So whoever joins late reads no more than what came since. Whether the leaves before
are right is for auditors to find.
"""

from __future__ import annotations

from contextlib import closing

from fluvial.kafka import Transport, read_to_end
from fluvial.transparency.note import NoteKey
from fluvial.transparency.signed_leaves import Proven
from fluvial.transparency.signer_state import of_checkpoint
from fluvial.wire.topics import Topics

_LOOK_BACK = 64
_READ_SECONDS = 30.0


def log_start(transport: Transport, topics: Topics, log_key: NoteKey, time_ms: int) -> tuple[Proven, int]:
    """The place of the newest checkpoint before this broker time, and its offset in topic `checkpoints`. The first leaf
    and the first record where there is none, or none among the last 64 records before that time.

    Raises TransportFailed, TransportUnavailable.
    """
    kept = transport.bounds(topics.checkpoints)[0]
    end = transport.offsets_at(topics.checkpoints, time_ms)[0]
    first = max(kept.first, end - _LOOK_BACK)
    if first >= end:
        return Proven(), kept.first
    leaves = transport.bounds(topics.audit)[0]
    with closing(transport.read(topics.checkpoints, {0: first}, {0: end})) as reader:
        records = list(read_to_end(reader, _READ_SECONDS))
    for record in reversed(records):
        state = of_checkpoint(record.value or b"", record.headers, log_key)
        if state is not None and leaves.first <= state.last_offset < leaves.end:
            return Proven(state.end, state.tree, state.last_offset + 1), record.offset
    return Proven(), kept.first
