"""From where on an audit looks at what the leaves vouch for, when an earlier one has verified all before.

The earlier audit ended with a checkpoint. This one reads all leaves again, so that it knows that the checkpoint is one
of the log and what keys, rounds and models there were; but what has its leaf before the checkpoint was compared and
judged again then, and is passed over now. What was too new for a leaf then is at most as old as an audit lets a record
wait: from so long before the checkpoint on, topics are read.
"""

from __future__ import annotations

from dataclasses import dataclass

from fluvial.auditor.log import Log
from fluvial.auditor.patience import Patience
from fluvial.transparency.checkpoint import open_checkpoint
from fluvial.transparency.note import NoteKey
from fluvial.wire.errors import VerificationError

_CLOCKS_APART_MS = 3_600_000
"""Between brokers, whose times date a record and its leaf."""


@dataclass(frozen=True, slots=True)
class Since:
    """size: leaves that were verified; 0 for none. time_ms: broker time from which on topics are read."""

    size: int = 0
    time_ms: int = 0

    def covers(self, sequence: int) -> bool:
        """Whether what has this leaf was looked at by the earlier audit."""
        return sequence < self.size


def since_checkpoint(note: bytes, log: Log, log_key: NoteKey, patience: Patience) -> Since:
    """From this checkpoint on; from the beginning where it is not one of this log, as the checkpoints' check tells."""
    try:
        checkpoint = open_checkpoint(note, log_key)
    except VerificationError:
        return Since()
    if not checkpoint.size or log.contradicts(checkpoint):
        return Since()
    time_ms = log.time_ms(checkpoint.size - 1) - patience.max_pending_ms - _CLOCKS_APART_MS
    return Since(checkpoint.size, max(0, time_ms))
