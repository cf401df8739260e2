"""Gives every audit event its place: a gap-free sequence number and the hash of the leaf before it.

The raw bytes of the resulting SequencedEvent are the leaf of the log. This module signs nothing: what it emits counts
only when it stands committed in the topic `audit` (`signer.py` takes it from there). What it knows is a cache over that
topic: `pipelines.audit.recovery` makes a sequencer anew from the leaves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from hashlib import sha256
from typing import NamedTuple

from fluvial.transparency.chain import SHA256_FOLLOWS, ChainEnd
from fluvial.wire import framing
from fluvial.wire.records import AuditEvent, SequencedEvent
from fluvial.wire.varint import consecutive_bytes
from governance.audit.cloud_events import Attributes, attributes
from governance.audit.events import EventRefused, open_event
from governance.audit.recent_events import RecentEvents

MAX_LEAF_BYTES = 65_535  # so that a leaf fits an entry of C2SP tlog-tiles

_HEADER = framing.sole_header(SequencedEvent) if framing.sole_header(AuditEvent) else None
"""There while both have one version: then an event has the same bytes within a leaf as by itself."""


def append(end: ChainEnd, event: AuditEvent) -> tuple[ChainEnd, bytes]:
    """Put an event at the end of the log. Returns the end after it and the leaf. Raises EventRefused for an event too
    large for a leaf."""
    return append_encoded(end, framing.encode(event))


def append_encoded(end: ChainEnd, encoded: bytes) -> tuple[ChainEnd, bytes]:
    """As `append`, of the bytes of an event that are known to be one."""
    if _HEADER is not None:
        leaf = b"".join((_HEADER, end.named, encoded[framing.HEADER_BYTES :]))
    else:
        event = framing.decode(encoded, AuditEvent)
        leaf = framing.encode(SequencedEvent(sequence=end.size, previous_sha256=end.previous_sha256, event=event))
    if len(leaf) > MAX_LEAF_BYTES:
        raise EventRefused(f"makes a leaf of {len(leaf)} bytes; at most {MAX_LEAF_BYTES} are allowed")
    return end.after(leaf), leaf


class Leaf(NamedTuple):
    """A leaf made: its bytes, the attributes of its event, and the partition and offset of the record in `events` that
    it is made of."""

    value: bytes
    attributes: Attributes
    partition: int
    offset: int


_leaf = partial(tuple.__new__, Leaf)


class Sequencer:
    """The end of a log, and what is known of the events in it.

    read_to: by partition of `events` the offset of the last record taken in. What is not behind it is in the log, or
    was refused, and leaves no trace.
    """

    def __init__(self, end: ChainEnd, recent: RecentEvents, read_to: Mapping[int, int]) -> None:
        self.end = end
        self.recent = recent
        self.read_to = dict(read_to)

    def take(self, partition: int, offset: int, value: bytes) -> Leaf | None:
        """The leaf of a record of the topic `events`; None for one taken in before, and for an event that has a leaf.

        Raises EventRefused for what is no event: it is then taken in without a leaf.
        """
        if offset <= self.read_to.get(partition, -1):
            return None
        self.read_to[partition] = offset
        return self._put(attributes(open_event(value)), value, partition, offset)

    def take_known(
        self,
        partitions: Sequence[int],
        offsets: Sequence[int],
        values: Sequence[bytes],
        known: Sequence[Attributes | None],
        *,
        start: int,
        stride: int,
    ) -> tuple[list[Leaf], int]:
        """As `take` for each record from `start` on, as long as they are known and lie in one partition, each at most
        `stride` offsets behind what was taken in before it. Returns the leaves, and the index of the first record that
        was not taken.

        partitions, offsets, values: of each record, as for `take`. known: the attributes of its event, where it was
        found to be one (`plain_events`).
        """
        if _HEADER is None:
            return [], start
        partition = partitions[start]
        read_to, size, previous = self.read_to.get(partition, -1), self.end.size, self.end.previous_sha256
        leaves: list[Leaf] = []
        row, places = start, consecutive_bytes(size, len(values) - start)
        place = next(places, b"")
        while row < len(values):
            told, offset = known[row], offsets[row]
            if told is None or partitions[row] != partition or not read_to < offset <= read_to + stride:
                break
            leaf = b"".join((_HEADER, place, SHA256_FOLLOWS, previous, values[row][framing.HEADER_BYTES :]))
            if len(leaf) > MAX_LEAF_BYTES:
                break
            read_to, row = offset, row + 1
            if self.recent.note(told.id):
                size, place, previous = size + 1, next(places, b""), sha256(leaf).digest()
                leaves.append(_leaf((leaf, told, partition, offset)))
        if row > start:
            self.read_to[partition], self.end = read_to, ChainEnd(size, previous)
        return leaves, row

    def put(self, event: AuditEvent, partition: int, offset: int) -> Leaf | None:
        """The leaf of an event that came in no record, unless it has one. partition, offset: of the last record that it
        tells of."""
        return self._put(attributes(event), framing.encode(event), partition, offset)

    def _put(self, told: Attributes, encoded: bytes, partition: int, offset: int) -> Leaf | None:
        if told.id in self.recent:
            return None
        self.end, value = append_encoded(self.end, encoded)
        self.recent.add(told.id)
        return Leaf(value, told, partition, offset)
