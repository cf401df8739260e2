"""Checks the topic `audit`: sequence, hash chain, events, Merkle tree; and keeps what the other checks need of the
leaves.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Generic, TypeVar

from fluvial.admission.over_rate import offsets_of
from fluvial.auditor.reader import TopicReader, TopicRecord
from fluvial.auditor.refused import Refused
from fluvial.auditor.report import Problems
from fluvial.transparency.chain import ChainEnd, signed_chain
from fluvial.transparency.checkpoint import Checkpoint
from fluvial.transparency.event import SIGNED_PARTICIPANT, Recorded, event_id, read_event, subject
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


R = TypeVar("R", covariant=True)


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


@dataclass(slots=True)
class Log:
    """The leaves read: their tree, and what they tell.

    verdicts by the record judged; refused: records that were refused many at once; models by task and version;
    opened: rounds, by their place; ended: what became of rounds and tasks; copied: by the event's id, what stands in a
    topic of its own, too; gaps: what nobody judged; times_ms: the broker's time of each leaf. wanted: the bytes of the
    leaf that was asked for. problems: what is wrong with leaves. skipped: records of the topic that are no leaves; a
    contradiction only where leaves are missing.
    """

    tree: MerkleTree = field(default_factory=MerkleTree)
    verdicts: dict[Source, Leaf[Verdict]] = field(default_factory=dict)
    refused: Refused[Leaf[OverRate]] = field(default_factory=Refused)
    models: dict[tuple[str, int], Leaf[PublishedModel]] = field(default_factory=dict)
    participants: list[ParticipantLeaf] = field(default_factory=list)
    opened: dict[RoundPlace, Leaf[RoundEvent]] = field(default_factory=dict)
    ended: list[Leaf[RoundEvent]] = field(default_factory=list)
    copied: dict[str, Leaf[_COPIED]] = field(default_factory=dict)
    gaps: list[InputGap] = field(default_factory=list)
    times_ms: array[int] = field(default_factory=lambda: array("q"))
    wanted: bytes | None = None
    problems: Problems = field(default_factory=Problems)
    skipped: Problems = field(default_factory=Problems)

    def records(self) -> list[Recorded]:
        """What the leaves tell of verdicts, models, participants, rounds and copies, in the log's order."""
        leaves: list[Leaf[Recorded]] = [
            *self.verdicts.values(),
            *(each.about for each in self.refused.all().values()),
            *self.models.values(),
            *(each.leaf for each in self.participants),
            *self.opened.values(),
            *self.ended,
            *self.copied.values(),
        ]
        return [leaf.record for leaf in sorted(leaves, key=lambda leaf: leaf.sequence)]

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
    seen: set[str] = set()
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
        if sequenced.event.id in seen:
            log.problems.add(CHECK, record, f"leaf {end.size} repeats the event {sequenced.event.id}")
        seen.add(sequenced.event.id)
        _take_in(log, end.size, sequenced.event, record)
        log.tree.append(leaf_hash(leaf))
        log.times_ms.append(record.timestamp_ms)
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
    digest = sha256(event.data).digest()
    match recorded:
        case Verdict():
            source = (recorded.source_topic, recorded.source_partition, recorded.source_offset)
            log.verdicts.setdefault(source, Leaf(sequence, timestamp_ms, digest, recorded))
        case OverRate():
            other = log.refused.add(recorded, Leaf(sequence, timestamp_ms, digest, recorded))
            if other is not None:
                log.problems.add(CHECK, f"leaf {sequence}", f"refuses what leaf {other.about.sequence} refuses")
        case PublishedModel():
            place = recorded.task, recorded.version
            log.models.setdefault(place, Leaf(sequence, timestamp_ms, digest, recorded))
        case Participant():
            sealed = event.data if event.type == SIGNED_PARTICIPANT else b""
            log.participants.append(ParticipantLeaf(Leaf(sequence, timestamp_ms, digest, recorded), sealed))
        case RoundEvent(transition=RoundTransition.OPENED):
            opened = recorded.task, recorded.round, recorded.attempt
            log.opened.setdefault(opened, Leaf(sequence, timestamp_ms, digest, recorded))
        case RoundEvent():
            log.ended.append(Leaf(sequence, timestamp_ms, digest, recorded))
        case Receipt() | Release() | Variant() | Promotion():
            log.copied.setdefault(event.id, Leaf(sequence, timestamp_ms, digest, recorded))
        case InputGap():
            log.gaps.append(recorded)
        case _:
            pass
