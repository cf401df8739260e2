"""What the committed records of `audit` and `checkpoints` say of the log: all that sequencer and signer know.

Pure folds over records that `pipelines.audit.committed_log` reads. Only records that a stage wrote come here. The
newest checkpoint that bears the signer's state stands for all leaves before it: the state is believed because its tree
has the signed root. So the reading is short, however long the log.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import ClassVar

from fluvial.transparency.checkpoint import Checkpoint, open_checkpoint
from fluvial.transparency.note import NoteKey
from fluvial.transparency.signer_state import SignerState
from fluvial.wire.errors import TransportError, VerificationError
from fluvial.wire.framing import decode
from fluvial.wire.records import SequencedEvent
from governance.audit import signer
from governance.audit.recent_events import RecentEvents
from governance.audit.sequencer import Sequencer
from governance.audit.signer import NotNext
from pipelines.audit.leaf_headers import source_of, tree_of
from pipelines.flink.frames import SourceRecord

Source = tuple[int, int]
"""Partition and offset of an event's record in `events`."""

Skip = Callable[[SourceRecord, str], None]
"""Is told of each record that is skipped, and why."""


class LogContradicted(TransportError):
    """The leaves are not those that were signed: some are gone, or others. Nothing may be written behind them, because
    it would make two histories of one log. Only a person can say which is right."""

    retriable: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class Signed:
    """What was signed last. state: of the newest checkpoint that bears one; empty without. newest: the checkpoint of
    most leaves, None without."""

    state: SignerState = field(default_factory=SignerState)
    newest: Checkpoint | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogView:
    """The log as it stands committed.

    state: of a signer that has taken in all of it. signed_offset: of the last leaf that the newest checkpoint stands
    for; -1 without. event_ids: of the newest leaves, oldest first. read_to: by partition of `events` the newest offset
    that has a leaf; empty when the newest leaf does not tell.
    """

    state: SignerState
    signed_offset: int = -1
    event_ids: tuple[str, ...] = ()
    read_to: dict[int, int] = field(default_factory=dict)

    @property
    def next_events(self) -> dict[int, int]:
        """Where to read on in `events`, by partition; from the earliest record on where nothing is said."""
        return {partition: offset + 1 for partition, offset in self.read_to.items()}

    @property
    def next_leaves(self) -> dict[int, int]:
        """Where to read on in `audit`: behind what was signed, so that what was not is met and signed."""
        return {0: self.signed_offset + 1}

    @property
    def tells_its_source(self) -> bool:
        """Whether it is known how far `events` was read: of an empty log, and of one whose newest leaf says so."""
        return bool(self.read_to) or not self.state.tree.size

    def sequencer(self) -> Sequencer:
        """A sequencer that goes on behind this log."""
        return Sequencer(self.state.end, RecentEvents(self.event_ids), self.read_to)


def signed(checkpoints: Iterable[SourceRecord], log_key: NoteKey, skip: Skip) -> Signed:
    """The newest of the checkpoints. What the log's key did not sign is skipped."""
    state, newest = SignerState(), None
    for record in checkpoints:
        try:
            checkpoint = open_checkpoint(record.value, log_key)
        except VerificationError as error:
            skip(record, str(error))
            continue
        if newest is None or checkpoint.size >= newest.size:
            newest = checkpoint
        behind = tree_of(record)
        if behind is None:
            continue
        if (behind.tree.size, behind.tree.root()) != (checkpoint.size, checkpoint.root):
            skip(record, "the state beside the checkpoint is not the one that was signed")
        elif behind.tree.size >= state.tree.size:
            state = behind
    return Signed(state, newest)


def view(signed: Signed, leaves: Iterable[SourceRecord], skip: Skip, remember: int | None = 0) -> LogView:
    """The log, from what was signed and the records of `audit` behind it.

    leaves: from so far before `signed.state.last_offset` on that the newest `remember` leaves are among them. remember:
    how many event ids are wanted; None for all that come. Raises LogContradicted.
    """
    state, newest = signed.state, signed.newest
    before: dict[bytes, SourceRecord] = {}
    behind: deque[tuple[str, Source | None]] = deque(maxlen=remember)
    for record in leaves:
        if record.offset <= signed.state.last_offset:
            if remember != 0:
                before[sha256(record.value).digest()] = record
            continue
        try:
            state = signer.append(state, record.offset, record.value)
        except NotNext as error:
            skip(record, str(error))
            continue
        if newest is not None and state.tree.size == newest.size and state.tree.root() != newest.root:
            raise LogContradicted(f"the root of {newest.size} leaves is not the signed one")
        if remember != 0:
            behind.append((decode(record.value, SequencedEvent).event.id, source_of(record)))
    if newest is not None and state.tree.size < newest.size:
        raise LogContradicted(f"{newest.size} leaves were signed, but the log holds {state.tree.size}")
    newest_first = itertools.chain(reversed(behind), _backwards(before, signed.state.previous_sha256))
    told = list(itertools.islice(newest_first, remember))
    read_to: dict[int, int] = {}
    for _, source in told if told and told[0][1] is not None else []:
        if source is not None:
            read_to.setdefault(*source)
    ids = tuple(event_id for event_id, _ in reversed(told))
    return LogView(state=state, signed_offset=signed.state.last_offset, event_ids=ids, read_to=read_to)


def _backwards(before: dict[bytes, SourceRecord], sha256_of_last: bytes) -> Iterator[tuple[str, Source | None]]:
    """Event id and source of the leaves up to this one, newest first: each is the one that the next names."""
    while (record := before.get(sha256_of_last)) is not None:
        leaf = decode(record.value, SequencedEvent)
        yield leaf.event.id, source_of(record)
        sha256_of_last = leaf.previous_sha256
