"""Kafka records as byte strings, the only form in which they cross between Java and Python.

The Java twins are `org.fluvial.flink.FrameDeserializer` (source) and `FrameSerializer` (sink) in deploy/java. All
integers are big-endian. A source frame is

    int32 partition, int64 offset, int64 timestamp_ms, int32 key length (-1: no key), key, value to the end

and a sink frame

    uint16 topic length, topic, int32 key length (-1: no key), key,
    uint16 number of headers, each: uint16 name length, name, int32 value length, value,
    int32 value length (-1: a tombstone), value
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

_SOURCE_HEAD = struct.Struct(">iqqi")
_SHORT = struct.Struct(">H")
_INT = struct.Struct(">i")
_NO_HEADERS = struct.Struct(">Hi")
"""Number of headers, then the value's length."""
_NULL = _INT.pack(-1)
_FEW = 256
_LENGTHS = [_INT.pack(length) for length in range(_FEW)]


class SourceRecord(NamedTuple):
    """One record of a topic. `timestamp_ms` is the broker's time; a tombstone has an empty `value`. `headers` come with
    records that `pipelines.flink.log_reader` reads; source frames carry none."""

    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


def parse_source(frame: bytes) -> SourceRecord:
    """The record in a source frame. Raises ValueError if the frame was cut short."""
    try:
        partition, offset, timestamp_ms, key_length = _SOURCE_HEAD.unpack_from(frame)
    except struct.error as error:
        raise ValueError(f"a source frame of {len(frame)} bytes") from error
    if key_length == -1:
        return SourceRecord(partition, offset, timestamp_ms, None, bytes(frame[_SOURCE_HEAD.size :]))
    end = _SOURCE_HEAD.size + key_length
    if key_length < 0 or end > len(frame):
        raise ValueError(f"a key of {key_length} bytes in a source frame of {len(frame)} bytes")
    return SourceRecord(partition, offset, timestamp_ms, bytes(frame[_SOURCE_HEAD.size : end]), bytes(frame[end:]))


def source_frame(record: SourceRecord) -> bytes:
    """The source frame of a record: the inverse of `parse_source`."""
    key = record.key
    head = _SOURCE_HEAD.pack(record.partition, record.offset, record.timestamp_ms, -1 if key is None else len(key))
    return b"".join((head, key or b"", record.value))


def sink_frame(topic: str, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]] = ()) -> bytes:
    """The sink frame of a record; `value` None is a tombstone. Raises struct.error for a name over 64 KiB."""
    if key is not None and value is not None and not headers:
        return b"".join((_text(topic), _INT.pack(len(key)), key, _NO_HEADERS.pack(0, len(value)), value))
    parts = [sink_head(topic, key, len(headers))]
    for name, header_value in headers:
        parts += (_text(name), length_part(len(header_value)), header_value)
    parts += _field(value)
    return b"".join(parts)


def sink_head(topic: str, key: bytes | None, num_headers: int) -> bytes:
    """How the sink frame of a record with so many headers begins."""
    return b"".join((_text(topic), *_field(key), _SHORT.pack(num_headers)))


def header_part(name: str, value: bytes) -> bytes:
    """A header as it stands in a sink frame."""
    return b"".join((_text(name), length_part(len(value)), value))


def name_part(name: str) -> bytes:
    """The name of a header as it stands in a sink frame."""
    return _text(name)


def length_part(length: int) -> bytes:
    """The length that stands before a value in a sink frame."""
    return _LENGTHS[length] if 0 <= length < _FEW else _INT.pack(length)


class SinkRecord(NamedTuple):
    """One record to be written; `value` None is a tombstone."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


def parse_sink(frame: bytes) -> SinkRecord:
    """The record in a sink frame: the inverse of `sink_frame`. Raises struct.error if the frame was cut short."""
    at = 0

    def number(layout: struct.Struct) -> int:
        nonlocal at
        (found,) = layout.unpack_from(frame, at)
        at += layout.size
        return int(found)

    def taken(length: int) -> bytes:
        nonlocal at
        at += length
        if at > len(frame):
            raise struct.error(f"a sink frame of {len(frame)} bytes")
        return bytes(frame[at - length : at])

    def field() -> bytes | None:
        length = number(_INT)
        return None if length == -1 else taken(length)

    topic, key = taken(number(_SHORT)).decode(), field()
    headers = tuple((taken(number(_SHORT)).decode(), field() or b"") for _ in range(number(_SHORT)))
    return SinkRecord(topic, key, field(), headers)


@lru_cache(maxsize=256)
def _text(text: str) -> bytes:
    """Length and bytes of a topic or of a header's name, of which there are few."""
    encoded = text.encode()
    return _SHORT.pack(len(encoded)) + encoded


def _field(value: bytes | None) -> tuple[bytes, ...]:
    return (_NULL,) if value is None else (_INT.pack(len(value)), value)
