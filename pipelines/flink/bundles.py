"""Many byte strings in one, so that they cross between Java and Python together.

A crossing costs as much as all of a judgement, so what comes often comes in bundles. The Java twins are
`org.fluvial.flink.GatherFrames`, which makes bundles of source frames, and `Frame` and `Unbundle`, which part those
that Python gives: the sink's where they are written, others for whoever reads them. A bundle, big-endian:

    uint16 0, uint8 kind, then each item: int32 length, item

A sink frame begins with the length of its topic, which is never zero, so a stream may hold both. Bundles never lie in
state or in a topic.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Sequence
from enum import IntEnum
from functools import partial

from pipelines.flink.frames import SourceRecord
from pipelines.flink.keys import subtask_of

LANES = 32
"""Shares of the Kafka keys. A lane is a key of Flink's state, so where there is state the number never changes; it
bounds parallelism."""

_HEAD = struct.Struct(">HB")
HEAD_BYTES = _HEAD.size
_LENGTH = struct.Struct(">i")
_SOURCE_ITEM = struct.Struct(">iiqqi")
_SOURCE_ITEM_BYTES = _SOURCE_ITEM.size
_LENGTH_BYTES = _LENGTH.size
_record = partial(tuple.__new__, SourceRecord)
"""A record of all its fields, in half the time."""

SourcePlace = tuple[int, int, int, bytes | None, int, int, int]
"""Of a source frame in a bundle its partition, offset, broker time and key, and where in the bundle the frame begins,
its value begins and both end."""


class Kind(IntEnum):
    """What the items of a bundle are."""

    SOURCE = 0
    SINK = 1
    MESSAGES = 2


def pack_bundle(kind: Kind, items: Sequence[bytes]) -> bytes:
    """The items as one byte string."""
    parts = [_HEAD.pack(0, kind)]
    for item in items:
        parts.append(_LENGTH.pack(len(item)))
        parts.append(item)
    return b"".join(parts)


def parse_sources(bundle: bytes) -> list[SourceRecord]:
    """The records in a bundle of source frames. Raises ValueError if it is none, or was cut short."""
    return [
        _record((partition, offset, timestamp_ms, key, bundle[middle:end], ()))
        for partition, offset, timestamp_ms, key, _, middle, end in source_places(bundle)
    ]


def source_places(bundle: bytes) -> list[SourcePlace]:
    """Of each source frame in a bundle: for who need not look at values. Raises as `parse_sources`."""
    check_sources(bundle)
    places, at, size, unpack = [], HEAD_BYTES, len(bundle), _SOURCE_ITEM.unpack_from
    try:
        while at < size:
            length, partition, offset, timestamp_ms, key_length = unpack(bundle, at)
            start, end = at + _SOURCE_ITEM_BYTES, at + _LENGTH_BYTES + length
            middle = start + key_length if key_length > 0 else start
            if middle > end or end > size:
                raise ValueError(f"a source frame of {length} bytes in a bundle of {size}")
            key = bundle[start:middle] if key_length >= 0 else None
            places.append((partition, offset, timestamp_ms, key, at + _LENGTH_BYTES, middle, end))
            at = end
    except struct.error as error:
        raise ValueError(f"a bundle of {size} bytes that was cut short") from error
    return places


def check_sources(bundle: bytes) -> None:
    """Raises ValueError for what does not begin as a bundle of source frames."""
    if len(bundle) < HEAD_BYTES or _HEAD.unpack_from(bundle) != (0, Kind.SOURCE):
        raise ValueError(f"{len(bundle)} bytes are no bundle of source frames")


def lane_keys(max_parallelism: int, num_lanes: int = LANES) -> list[str]:
    """Flink's key of each lane. Lane i falls into the first key group of the i-th of `num_lanes` equal ranges, so every
    parallelism that divides their number gets as many lanes on each subtask."""
    keys = []
    for lane in range(num_lanes):
        group = lane * max_parallelism // num_lanes
        candidates = (f"lane-{lane}-{salt}" for salt in itertools.count())
        keys.append(next(key for key in candidates if subtask_of(key, max_parallelism, max_parallelism) == group))
    return keys
