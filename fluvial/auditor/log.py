"""Checks the topic `audit`: sequence, hash chain, events, Merkle tree; and keeps what the other checks need of the
leaves.
"""

from __future__ import annotations

import heapq
import itertools
import struct
from collections.abc import Collection, Iterable, Iterator
from hashlib import sha256
from typing import Any

from fluvial.admission.over_rate import offsets_of
from fluvial.auditor.judged_records import JudgedRecords
from fluvial.auditor.kept_log import KeptLog
from fluvial.auditor.leaves import COPIED, KeptLeaves, Leaf, dumped, round_place
from fluvial.auditor.reader import TopicReader, TopicRecord
from fluvial.auditor.refused import Refused
from fluvial.auditor.report import Problems
from fluvial.auditor.shelf import Relation, Shelf, key
from fluvial.auditor.shelf_bytes import FileBytes, KeptBytes
from fluvial.transparency.chain import ChainEnd, signed_chain
from fluvial.transparency.checkpoint import Checkpoint
from fluvial.transparency.event import REMEMBERED_EVENTS, Recorded, event_id, read_event, subject
from fluvial.transparency.merkle import leaf_hash
from fluvial.transparency.tree import Level, MerkleTree
from fluvial.wire import framing
from fluvial.wire.errors import DecodeError
from fluvial.wire.records import (
    AuditEvent,
    InputGap,
    OverRate,
    Participant,
    Promotion,
    PublishedModel,
    Receipt,
    Release,
    RoundEvent,
    RoundTransition,
    SequencedEvent,
    Variant,
    Verdict,
)

CHECK = "log"
_KEPT = Verdict | OverRate | PublishedModel | Participant | RoundEvent | COPIED | InputGap
_NUMBER = struct.Struct(">q")


class Log(KeptLeaves):
    """The leaves read: their tree, and what they tell.

    verdicts by the record judged; refused: records that were refused many at once; models by task and version; opened:
    rounds, by their place; ended: what became of rounds and tasks; copied: by the event's id, what stands in a topic of
    its own, too; gaps: what nobody judged.
    judged: what the verdicts say was accepted. wanted: the bytes of the leaf that was asked for. problems: what is
    wrong with leaves. skipped: records of the topic that are no leaves; a contradiction only where leaves are missing.
    kept: what a former audit has verified, which is there from the beginning: `known_size` leaves. shelf: where the
    rest lies, and what checks put beside it; in memory is what was refused many at once.
    """

    def __init__(self, kept: KeptLog | None = None) -> None:
        self.shelf, self.kept = Shelf(), kept
        shelf = self.shelf if kept is None else kept.shelf
        super().__init__(shelf)
        self._bytes: list[KeptBytes] = []
        levels = itertools.count()
        self.tree = MerkleTree(lambda: self._new_bytes(f"tree_{next(levels)}"))
        self._times: Level = self._new_bytes("times")
        self._events = Relation(shelf, "seen")
        self.judged = JudgedRecords(shelf)
        self.known_size = self.tree.size
        self.end, self.next_offset = (ChainEnd(), 0) if kept is None else kept.chain(self.known_size)
        self.refused: Refused[Leaf[OverRate]] = Refused()
        for leaf in self.refusals.each():
            self.refused.add(leaf.record, leaf)
        self.wanted: bytes | None = None
        self.problems, self.skipped = Problems(), Problems()

    def _new_bytes(self, table: str) -> Level:
        if self.kept is None:
            return FileBytes()
        self._bytes.append(KeptBytes(self.kept.shelf, table))
        return self._bytes[-1]

    @property
    def gaps(self) -> list[InputGap]:
        return [leaf.record for leaf in self.gap_leaves.each()]

    def mark(self) -> None:
        """The leaves so far are those that a checkpoint has signed, which an audit may keep."""
        if self.kept is not None:
            for each in self._bytes:
                each.flush()
            self.kept.mark(self.end, self.next_offset)

    def time_ms(self, sequence: int) -> int:
        """The broker's time of a leaf."""
        return int(_NUMBER.unpack(self._times[sequence * _NUMBER.size : (sequence + 1) * _NUMBER.size])[0])

    def append(self, leaf: bytes, timestamp_ms: int) -> None:
        """One more leaf of the tree."""
        self.tree.append(leaf_hash(leaf))
        self._times += _NUMBER.pack(timestamp_ms)
        self.end = self.end.after(leaf)

    def first_of(self, event: AuditEvent) -> int | None:
        """The leaf that has told this very event before, -1 where one of its id told another; None where none did:
        then the next leaf, which is to be appended, does."""
        told = sha256(framing.encode(event)).digest()
        name = key(event.id)
        for known in self._events.values(name):
            return _NUMBER.unpack_from(known)[0] if known.endswith(told) else -1
        self._events.add(name, _NUMBER.pack(self.end.size) + told)
        return None

    def records(self) -> Iterator[Recorded]:
        """What the leaves tell of verdicts, models, participants, rounds and copies, in the log's order."""
        leaves: list[Iterable[Leaf[Any]]] = [
            self.verdicts.each(),
            (each.about for each in self.refused.all().values()),
            self.models.each(),
            (each.leaf for each in self.participants.each()),
            self.opened.each(),
            self.ended.each(),
            self.copied.each(),
        ]
        return (leaf.record for leaf in heapq.merge(*leaves, key=lambda leaf: leaf.sequence))

    def contradicts(self, checkpoint: Checkpoint) -> bool:
        """Whether a checkpoint is not one of these leaves."""
        return self.tree.size < checkpoint.size or self.tree.root(checkpoint.size) != checkpoint.root


def read_signed_log(
    reader: TopicReader, topic: str, newest: Checkpoint | None, wanted: int = -1, kept: KeptLog | None = None
) -> Log:
    """Read the log of which `newest` is a checkpoint.

    The log is the chain of records that continue one another (`fluvial.transparency.chain`). Where two continue the
    same leaf, the auditor cannot tell which a stage wrote; the one that leads to the signed root is right, wherever
    there is one. wanted: sequence number of a leaf whose bytes are asked for. kept: what a former audit has verified;
    only what lies behind it is read, unless that does not lead to the signed root.
    """
    log = Log(kept)
    behind = reader.records(topic)
    if log.known_size:
        first, since_ms = log.next_offset, log.time_ms(log.known_size - 1)
        behind = (record for record in reader.records(topic, since_ms) if record.offset >= first)
    read_on(log, behind, wanted, signed_size=0 if newest is None else newest.size)
    if newest is None or not log.contradicts(newest):
        return log
    if kept is not None:
        return read_signed_log(reader, topic, newest, wanted)
    records = list(reader.records(topic))
    chain = signed_chain((record.value or b"" for record in records), newest)
    if not chain:
        return log
    leaves = frozenset(chain)
    others = {record.offset for index, record in enumerate(records[: chain[-1]]) if index not in leaves}
    return read_log(iter(records), wanted, others)


def read_log(records: Iterator[TopicRecord], wanted: int = -1, passed_over: Collection[int] = ()) -> Log:
    """Read all leaves, as `read_on` does."""
    log = Log()
    read_on(log, records, wanted, passed_over)
    return log


def read_on(
    log: Log,
    records: Iterator[TopicRecord],
    wanted: int = -1,
    passed_over: Collection[int] = (),
    signed_size: int = 0,
) -> None:
    """Read the leaves behind those that a log has.

    1. A leaf is one canonical SequencedEvent, with the number of the leaves before it, that names the SHA-256 of the
    last of them. 2. No event id occurs twice, and each is the one that its data must have. A record that fails the
    first is no leaf; one that fails the second is reported and remains one. Of an event that the sequencer no longer
    remembered, the very same once more says nothing new, and is skipped: without rights by role whoever may write to
    the topics can copy it. passed_over: offsets of records that are no leaves whatever they hold. signed_size: leaves
    that the newest checkpoint has.
    """
    if log.end.size == signed_size:
        log.mark()
    for record in records:
        leaf, number = record.value or b"", log.end.size
        if record.offset in passed_over:
            log.skipped.add(CHECK, record, "it is not of the chain that was signed")
            continue
        try:
            sequenced = framing.decode(leaf, SequencedEvent)
        except DecodeError as error:
            log.skipped.add(CHECK, record, f"leaf {number} is no SequencedEvent: {error}")
            continue
        if why := log.end.why_not(sequenced):
            log.skipped.add(CHECK, record, why)
            continue
        if number == wanted:
            log.wanted = leaf
        first = log.first_of(sequenced.event)
        if first is not None and 0 <= first < number - REMEMBERED_EVENTS:
            log.skipped.add(CHECK, record, f"leaf {number} tells what leaf {first} has told")
        else:
            if first is not None:
                log.problems.add(CHECK, record, f"leaf {number} repeats the event {sequenced.event.id}")
            _take_in(log, number, sequenced.event, record)
        log.append(leaf, record.timestamp_ms)
        log.next_offset = record.offset + 1
        if log.end.size == signed_size:
            log.mark()


def _take_in(log: Log, sequence: int, event: AuditEvent, where: TopicRecord) -> None:
    try:
        recorded = read_event(event)
        if isinstance(recorded, OverRate):
            offsets_of(recorded)
    except (DecodeError, ValueError) as error:
        log.problems.add(CHECK, where, f"event of leaf {sequence}: {error}")
        return
    if event.id != event_id(recorded) or event.subject != subject(recorded):
        log.problems.add(CHECK, where, f"event of leaf {sequence} is called {event.id}, its data {event_id(recorded)}")
        return
    _remember(log, recorded, event, sequence, where.timestamp_ms)


def _remember(log: Log, recorded: Recorded, event: AuditEvent, sequence: int, timestamp_ms: int) -> None:
    data = dumped(recorded, event, sequence, timestamp_ms) if isinstance(recorded, _KEPT) else b""
    match recorded:
        case Verdict():
            log.verdicts.put((recorded.source_topic, recorded.source_partition, recorded.source_offset), data)
            log.judged.add(recorded)
        case OverRate():
            log.refusals.put(event.id, data)
            other = log.refused.add(recorded, log.refusals[event.id])
            if other is not None:
                log.problems.add(CHECK, f"leaf {sequence}", f"refuses what leaf {other.about.sequence} refuses")
        case PublishedModel():
            log.models.put((recorded.task, recorded.version), data)
        case Participant():
            log.participants.put(sequence, data)
        case RoundEvent(transition=RoundTransition.OPENED):
            log.opened.put(round_place(recorded), data)
        case RoundEvent():
            log.ended.put(event.id, data)
        case Receipt() | Release() | Variant() | Promotion():
            log.copied.put(event.id, data)
        case InputGap():
            log.gap_leaves.put(event.id, data)
        case _:
            pass
