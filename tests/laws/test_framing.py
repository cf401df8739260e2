"""Laws of the framing, over every record of the contract: one record, one string of bytes, and one kind of error."""

import io
import json
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluvial.wire.codecs import READERS, REFUSALS
from fluvial.wire.errors import DecodeError
from fluvial.wire.framing import HEADER_BYTES, _decode_slowly, decode, encode
from fluvial.wire.records import SCHEMAS
from tests.unit.fluvial.wire.samples import RECORDS, records, sample, schema_of
from tests.unit.fluvial.wire.slow_avro import write

every_record = pytest.mark.parametrize("record", RECORDS)
few = settings(max_examples=40, deadline=None)


def _refused_or_canonical(data: bytes, record: type) -> None:
    _fast_only_what_the_slow_one_takes(data, record)
    try:
        value: Any = decode(data, record)
    except DecodeError:
        return
    assert encode(value) == data


def _fast_only_what_the_slow_one_takes(data: bytes, record: type) -> None:
    try:
        value, end = READERS[record](data, HEADER_BYTES)
    except REFUSALS:
        return
    if end == len(data):
        assert _decode_slowly(data, HEADER_BYTES, record) == value


@every_record
@few
@given(data=st.data())
def test_what_was_encoded_decodes_to_the_same_record(record: type, data: st.DataObject) -> None:
    value = data.draw(records(record))
    assert decode(encode(value), record) == value
    assert READERS[record](encode(value), HEADER_BYTES) == (value, len(encode(value)))


@every_record
@few
@given(data=st.data())
def test_the_slow_encoder_agrees(record: type, data: st.DataObject) -> None:
    value = data.draw(records(record))
    assert encode(value)[HEADER_BYTES:] == write(schema_of(record), value.to_avro())


@every_record
@few
@given(data=st.data())
def test_fastavro_agrees(record: type, data: st.DataObject) -> None:
    value, out = data.draw(records(record)), io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(json.loads(SCHEMAS[record])), value.to_avro())
    assert encode(value)[HEADER_BYTES:] == out.getvalue()
    assert decode(encode(value)[:HEADER_BYTES] + out.getvalue(), record) == value


@every_record
@few
@given(data=st.data())
def test_numbers_that_are_none_keep_their_bits_or_are_refused(record: type, data: st.DataObject) -> None:
    _refused_or_canonical(encode(data.draw(records(record, allow_nan=True))), record)


@every_record
def test_every_cut_is_refused(record: type) -> None:
    whole = encode(sample(record))
    for length in range(len(whole)):
        with pytest.raises(DecodeError):
            decode(whole[:length], record)


@every_record
def test_every_flipped_bit_is_refused_or_means_another_record(record: type) -> None:
    whole = encode(sample(record))
    for position in range(len(whole)):
        for bit in range(8):
            flipped = bytearray(whole)
            flipped[position] ^= 1 << bit
            _refused_or_canonical(bytes(flipped), record)


@every_record
@few
@given(more=st.binary(min_size=1, max_size=20))
def test_every_extension_is_refused(record: type, more: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(encode(sample(record)) + more, record)


@every_record
@few
@given(tail=st.binary(max_size=200))
def test_any_bytes_behind_a_header_are_refused_or_canonical(record: type, tail: bytes) -> None:
    _refused_or_canonical(encode(sample(record))[:HEADER_BYTES] + tail, record)


@every_record
@few
@given(data=st.data())
def test_bytes_put_in_anywhere_are_refused_or_canonical(record: type, data: st.DataObject) -> None:
    whole = encode(data.draw(records(record)))
    start = data.draw(st.integers(HEADER_BYTES, len(whole)))
    stop = data.draw(st.integers(start, len(whole)))
    _refused_or_canonical(whole[:start] + data.draw(st.binary(max_size=12)) + whole[stop:], record)


@settings(max_examples=200, deadline=None)
@given(junk=st.binary(max_size=64), record=st.sampled_from(RECORDS))
def test_bytes_of_any_kind_give_the_one_error(junk: bytes, record: type) -> None:
    with pytest.raises(DecodeError):
        decode(junk, record)
