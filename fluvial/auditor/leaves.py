"""What the leaves of a log tell, as the auditor keeps it: bytes on the shelf, in the order of the leaves."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Generic, TypeVar

from fluvial.auditor.shelf import Kept, Shelf, key
from fluvial.transparency.event import SIGNED_PARTICIPANT, Recorded, event_id, read_signed_participant
from fluvial.wire import framing
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
    Variant,
    Verdict,
)

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

COPIED = Receipt | Release | Variant | Promotion

_HEAD = struct.Struct(">qqB")
_SEQUENCE = struct.Struct(">q")
_KINDS: tuple[type[Recorded], ...] = (
    Verdict,
    PublishedModel,
    Receipt,
    Release,
    Variant,
    Promotion,
    RoundEvent,
    OverRate,
    InputGap,
)
"""Kept by their number: new ones come last."""


def round_place(event: RoundEvent) -> RoundPlace:
    return event.task, event.round, event.attempt


def source_of(leaf: Leaf[Verdict]) -> Source:
    """Of the record that the verdict of a leaf judges."""
    return leaf.record.source_topic, leaf.record.source_partition, leaf.record.source_offset


def dumped(recorded: Recorded, event: AuditEvent, sequence: int, timestamp_ms: int) -> bytes:
    """A leaf as it is kept, by what it tells and the event that tells it."""
    if isinstance(recorded, Participant):
        return _HEAD.pack(sequence, timestamp_ms, event.type == SIGNED_PARTICIPANT) + event.data
    return _HEAD.pack(sequence, timestamp_ms, _KINDS.index(type(recorded))) + event.data


class KeptLeaves:
    """Leaves by kind. shelf: where; in a file those of a former audit are there."""

    def __init__(self, shelf: Shelf) -> None:
        self.verdicts: Kept[Source, Leaf[Verdict]] = Kept(shelf, _source_name, _load, source_of, "verdicts")
        self.models: Kept[tuple[str, int], Leaf[PublishedModel]] = Kept(
            shelf, lambda place: key(*place), _load, lambda leaf: (leaf.record.task, leaf.record.version), "models"
        )
        self.participants: Kept[int, ParticipantLeaf] = Kept(
            shelf, key, _load_participant, lambda each: each.leaf.sequence, "participants"
        )
        self.opened: Kept[RoundPlace, Leaf[RoundEvent]] = Kept(
            shelf, lambda place: key(*place), _load, lambda leaf: round_place(leaf.record), "opened"
        )
        self.ended: Kept[str, Leaf[RoundEvent]] = Kept(shelf, key, _load, lambda leaf: event_id(leaf.record), "ended")
        self.copied: Kept[str, Leaf[COPIED]] = Kept(shelf, key, _load, lambda leaf: event_id(leaf.record), "copied")
        self.refusals: Kept[str, Leaf[OverRate]] = Kept(
            shelf, key, _load, lambda leaf: event_id(leaf.record), "refusals"
        )
        self.gap_leaves: Kept[str, Leaf[InputGap]] = Kept(shelf, key, _load, lambda leaf: event_id(leaf.record), "gaps")


def leaves_from(kept: Kept[K, Leaf[T]], sequence: int) -> Iterator[Leaf[T]]:
    """Those of the leaves of a kind that have this number or a later one."""
    return kept.each_from(_SEQUENCE.pack(sequence))


def _source_name(source: Source) -> bytes:
    topic, partition, offset = source
    return b"%d/%d/%s" % (partition, offset, topic.encode("utf-8", "surrogatepass"))


def _load_participant(kept: bytes) -> ParticipantLeaf:
    sequence, timestamp_ms, is_sealed = _HEAD.unpack_from(kept)
    data = kept[_HEAD.size :]
    record = read_signed_participant(data) if is_sealed else framing.decode(data, Participant)
    return ParticipantLeaf(Leaf(sequence, timestamp_ms, sha256(data).digest(), record), data if is_sealed else b"")


def _load(kept: bytes) -> Leaf[Any]:
    sequence, timestamp_ms, kind = _HEAD.unpack_from(kept)
    data = kept[_HEAD.size :]
    return Leaf(sequence, timestamp_ms, sha256(data).digest(), framing.decode(data, _KINDS[kind]))
