"""The frames byte for byte, as the Java adapters read and write them, and their limits."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.flink.frames import SourceRecord, parse_sink, parse_source, sink_frame


def source_frame(record: SourceRecord) -> bytes:
    """What FrameDeserializer makes of a record."""
    head = struct.pack(">iqq", record.partition, record.offset, record.timestamp_ms)
    key = struct.pack(">i", -1) if record.key is None else struct.pack(">i", len(record.key)) + record.key
    return head + key + record.value


def read_sink_frame(frame: bytes) -> tuple[str, bytes | None, bytes | None, list[tuple[str, bytes | None]]]:
    """What FrameSerializer reads: the slow, literal version."""
    at = 0

    def take(num_bytes: int) -> bytes:
        nonlocal at
        assert num_bytes <= len(frame) - at
        at += num_bytes
        return frame[at - num_bytes : at]

    def text() -> str:
        return take(int.from_bytes(take(2), "big")).decode()

    def field() -> bytes | None:
        length = int.from_bytes(take(4), "big", signed=True)
        return None if length == -1 else take(length)

    topic, key = text(), field()
    headers = [(text(), field()) for _ in range(int.from_bytes(take(2), "big"))]
    value = field()
    assert at == len(frame)
    return topic, key, value, headers


records = st.builds(
    SourceRecord,
    st.integers(0, 2**31 - 1),
    st.integers(0, 2**63 - 1),
    st.integers(-1, 2**63 - 1),
    st.none() | st.binary(max_size=64),
    st.binary(max_size=512),
    st.just(()),
)


@given(records)
def test_a_source_frame_gives_the_record_back(record: SourceRecord) -> None:
    assert parse_source(source_frame(record)) == record


def test_a_source_frame_with_a_key() -> None:
    frame = bytes.fromhex("00000003 0000000000000007 0000018bcfe56800 00000002 6b31 7631")
    assert parse_source(frame) == SourceRecord(3, 7, 1_700_000_000_000, b"k1", b"v1")


def test_a_source_frame_without_a_key_and_an_empty_value() -> None:
    frame = bytes.fromhex("00000000 0000000000000000 0000000000000001 ffffffff")
    assert parse_source(frame) == SourceRecord(0, 0, 1, None, b"")


def test_a_frame_that_python_got_as_a_bytearray_gives_bytes() -> None:
    record = parse_source(bytearray(source_frame(SourceRecord(0, 1, 2, b"key", b"value"))))
    assert type(record.key) is bytes
    assert type(record.value) is bytes


@pytest.mark.parametrize(
    "frame", [b"", bytes(23), bytes(20) + b"\x00\x00\x00\x05abcd", bytes(20) + b"\xff\xff\xff\xfe"]
)
def test_a_source_frame_cut_short_is_an_error(frame: bytes) -> None:
    with pytest.raises(ValueError, match="source frame"):
        parse_source(frame)


@given(
    st.text(min_size=1, max_size=40),
    st.none() | st.binary(max_size=64),
    st.none() | st.binary(max_size=512),
    st.lists(st.tuples(st.text(max_size=20), st.binary(max_size=40)), max_size=4),
)
def test_a_sink_frame_holds_the_record(
    topic: str, key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]]
) -> None:
    assert read_sink_frame(sink_frame(topic, key, value, headers)) == (topic, key, value, headers)


def test_a_sink_frame_byte_for_byte() -> None:
    frame = sink_frame("t", b"k", b"vv", [("ce_id", b"1")])
    assert frame == bytes.fromhex("000174 00000001 6b 0001 0005 63655f6964 00000001 31 00000002 7676")


def test_a_tombstone_has_a_length_of_minus_one() -> None:
    assert sink_frame("t", None, None) == bytes.fromhex("000174 ffffffff 0000 ffffffff")


def test_a_topic_name_over_64_kib_is_an_error() -> None:
    with pytest.raises(struct.error):
        sink_frame("t" * 65_536, None, b"")


@given(
    st.text(max_size=20),
    st.none() | st.binary(max_size=20),
    st.none() | st.binary(max_size=50),
    st.lists(st.tuples(st.text(max_size=10), st.binary(max_size=20)), max_size=3),
)
def test_sink_frames_are_read_as_they_were_written(
    topic: str, key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]]
) -> None:
    frame = sink_frame(topic, key, value, headers)
    assert parse_sink(frame) == (topic, key, value, tuple(headers))
    for cut in range(len(frame)):
        with pytest.raises(struct.error):
            parse_sink(frame[:cut])
