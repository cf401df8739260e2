"""Checks the topic `audit`: sequence, hash chain, events, Merkle tree; and keeps what the other checks need of the
leaves.
"""

from __future__ import annotations

import heapq
import struct
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Generic, TypeVar

from fluvial.admission.over_rate import offsets_of
from fluvial.auditor.judged_records import JudgedRecords
from fluvial.auditor.reader import TopicReader, TopicRecord
from fluvial.auditor.refused import Refused
from fluvial.auditor.report import Problems
from fluvial.auditor.shelf import FileBytes, Kept, Relation, Shelf, key
from fluvial.transparency.chain import ChainEnd, signed_chain
from fluvial.transparency.checkpoint import Checkpoint
from fluvial.transparency.event import (
    SIGNED_PARTICIPANT,
    Recorded,
    event_id,
    read_event,
    read_signed_participant,
    subject,
)
from fluvial.transparency.merkle import leaf_hash
from fluvial.transparency.tree import MerkleTree
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

Source = tuple[str, int, int]
"""Topic, partition and offset of a record that was judged."""


K = TypeVar("K")
R = TypeVar("R", covariant=True)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Leaf(Generic[R]):
    """What a leaf tells: its position, the broker's time of the leaf, SHA-256 of the data (32 bytes), the record."""

    sequence: int
    timestamp_ms: int
    data_sha256: bytes
    record: R


@dataclass(frozen=True, slots=True)
class ParticipantLeaf:
    """A participant as a leaf has it. sealed: the envelope that the registry has, nothing of it verified; empty in
    leaves that former releases wrote."""

    leaf: Leaf[Participant]
    sealed: bytes


RoundPlace = tuple[str, int, int]
"""Task, round and attempt."""

_COPIED = Receipt | Release | Variant | Promotion


_HEAD = struct.Struct(">qqB")
_SEQUENCE = _TIME = struct.Struct(">q")
_KINDS: tuple[type[Verdict | PublishedModel | Receipt | Release | Variant | Promotion | RoundEvent], ...]
_KINDS = (Verdict, PublishedModel, Receipt, Release, Variant, Promotion, RoundEvent)


class Log:
    """The leaves read: their tree, and what they tell.

    verdicts by the record judged; refused: records that were refused many at once; models by task and version; opened:
    rounds, by their place; ended: what became of rounds and tasks; copied: by the event's id, what stands in a topic of
    its own, too; gaps: what nobody judged.
    judged: what the verdicts say was accepted. wanted: the bytes of the leaf that was asked for. problems: what is
    wrong with leaves. skipped: records of the topic that are no leaves; a contradiction only where leaves are missing.
    shelf: where all of it lies, but for what was refused many at once, which is in memory.
    """

    def __init__(self) -> None:
        self.shelf = Shelf()
        self.tree = MerkleTree(FileBytes)
        self.verdicts: Kept[Source, Leaf[Verdict]] = Kept(self.shelf, _source_name, _load, source_of)
        self.refused: Refused[Leaf[OverRate]] = Refused()
        self.models: Kept[tuple[str, int], Leaf[PublishedModel]] = Kept(
            self.shelf, lambda place: key(*place), _load, lambda leaf: (leaf.record.task, leaf.record.version)
        )
        self.participants: Kept[int, ParticipantLeaf] = Kept(
            self.shelf, key, _load_participant, lambda each: each.leaf.sequence
        )
        self.judged = JudgedRecords(self.shelf)
        self.opened: Kept[RoundPlace, Leaf[RoundEvent]] = Kept(
            self.shelf, lambda place: key(*place), _load, lambda leaf: round_place(leaf.record)
        )
        self.ended: Kept[str, Leaf[RoundEvent]] = Kept(self.shelf, key, _load, lambda leaf: event_id(leaf.record))
        self.copied: Kept[str, Leaf[_COPIED]] = Kept(self.shelf, key, _load, lambda leaf: event_id(leaf.record))
        self.gaps: list[InputGap] = []
        self.wanted: bytes | None = None
        self.problems, self.skipped = Problems(), Problems()
        self._times = FileBytes()

    def time_ms(self, sequence: int) -> int:
        """The broker's time of a leaf."""
        return int(_TIME.unpack(self._times[sequence * _TIME.size : (sequence + 1) * _TIME.size])[0])

    def append(self, leaf: bytes, timestamp_ms: int) -> None:
        """One more leaf of the tree."""
        self.tree.append(leaf_hash(leaf))
        self._times += _TIME.pack(timestamp_ms)

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


def read_signed_log(reader: TopicReader, topic: str, newest: Checkpoint | None, wanted: int = -1) -> Log:
    """Read the log of which `newest` is a checkpoint.

    The log is the chain of records that continue one another (`fluvial.transparency.chain`). Where two continue the
    same leaf, the auditor cannot tell which a stage wrote; the one that leads to the signed root is right, wherever
    there is one. wanted: sequence number of a leaf whose bytes are asked for.
    """
    log = read_log(reader.records(topic), wanted)
    if newest is None or not log.contradicts(newest):
        return log
    records = list(reader.records(topic))
    chain = signed_chain((record.value or b"" for record in records), newest)
    if not chain:
        return log
    leaves = frozenset(chain)
    others = {record.offset for index, record in enumerate(records[: chain[-1]]) if index not in leaves}
    return read_log(iter(records), wanted, others)


def read_log(records: Iterator[TopicRecord], wanted: int = -1, passed_over: Collection[int] = ()) -> Log:
    """Read all leaves.

    1. A leaf is one canonical SequencedEvent, with the number of the leaves before it, that names the SHA-256 of the
    last of them. 2. No event id occurs twice, and each is the one that its data must have. A record that fails the
    first is no leaf; one that fails the second is reported and remains one. passed_over: offsets of records that are
    no leaves whatever they hold.
    """
    log = Log()
    end = ChainEnd()
    seen = Relation(log.shelf)
    for record in records:
        leaf = record.value or b""
        if record.offset in passed_over:
            log.skipped.add(CHECK, record, "it is not of the chain that was signed")
            continue
        try:
            sequenced = framing.decode(leaf, SequencedEvent)
        except DecodeError as error:
            log.skipped.add(CHECK, record, f"leaf {end.size} is no SequencedEvent: {error}")
            continue
        if why := end.why_not(sequenced):
            log.skipped.add(CHECK, record, why)
            continue
        if end.size == wanted:
            log.wanted = leaf
        if not seen.add(key(sequenced.event.id)):
            log.problems.add(CHECK, record, f"leaf {end.size} repeats the event {sequenced.event.id}")
        _take_in(log, end.size, sequenced.event, record)
        log.append(leaf, record.timestamp_ms)
        end = end.after(leaf)
    return log


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
    match recorded:
        case Verdict():
            source = (recorded.source_topic, recorded.source_partition, recorded.source_offset)
            log.verdicts.put(source, _dump(Verdict, event, sequence, timestamp_ms))
            log.judged.add(recorded)
        case OverRate():
            other = log.refused.add(recorded, _leaf(recorded, event, sequence, timestamp_ms))
            if other is not None:
                log.problems.add(CHECK, f"leaf {sequence}", f"refuses what leaf {other.about.sequence} refuses")
        case PublishedModel():
            log.models.put((recorded.task, recorded.version), _dump(PublishedModel, event, sequence, timestamp_ms))
        case Participant():
            is_sealed = event.type == SIGNED_PARTICIPANT
            log.participants.put(sequence, _HEAD.pack(sequence, timestamp_ms, is_sealed) + event.data)
        case RoundEvent(transition=RoundTransition.OPENED):
            log.opened.put(round_place(recorded), _dump(RoundEvent, event, sequence, timestamp_ms))
        case RoundEvent():
            log.ended.put(event.id, _dump(RoundEvent, event, sequence, timestamp_ms))
        case Receipt() | Release() | Variant() | Promotion():
            log.copied.put(event.id, _dump(type(recorded), event, sequence, timestamp_ms))
        case InputGap():
            log.gaps.append(recorded)
        case _:
            pass


def round_place(event: RoundEvent) -> RoundPlace:
    return event.task, event.round, event.attempt


def source_of(leaf: Leaf[Verdict]) -> Source:
    """Of the record that the verdict of a leaf judges."""
    return leaf.record.source_topic, leaf.record.source_partition, leaf.record.source_offset


def _source_name(source: Source) -> bytes:
    topic, partition, offset = source
    return b"%d/%d/%s" % (partition, offset, topic.encode("utf-8", "surrogatepass"))


def _leaf(recorded: T, event: AuditEvent, sequence: int, timestamp_ms: int) -> Leaf[T]:
    return Leaf(sequence, timestamp_ms, sha256(event.data).digest(), recorded)


def _dump(kind: type[Recorded], event: AuditEvent, sequence: int, timestamp_ms: int) -> bytes:
    return _HEAD.pack(sequence, timestamp_ms, _KINDS.index(kind)) + event.data


def leaves_from(kept: Kept[K, Leaf[T]], sequence: int) -> Iterator[Leaf[T]]:
    """Those of the leaves of a kind that have this number or a later one."""
    return kept.each_from(_SEQUENCE.pack(sequence))


def _load_participant(kept: bytes) -> ParticipantLeaf:
    sequence, timestamp_ms, is_sealed = _HEAD.unpack_from(kept)
    data = kept[_HEAD.size :]
    record = read_signed_participant(data) if is_sealed else framing.decode(data, Participant)
    return ParticipantLeaf(Leaf(sequence, timestamp_ms, sha256(data).digest(), record), data if is_sealed else b"")


def _load(kept: bytes) -> Leaf[Any]:
    sequence, timestamp_ms, kind = _HEAD.unpack_from(kept)
    data = kept[_HEAD.size :]
    return Leaf(sequence, timestamp_ms, sha256(data).digest(), framing.decode(data, _KINDS[kind]))
