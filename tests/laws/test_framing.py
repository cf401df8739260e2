"""Laws of the framing, over every version of every record of the contract: one version of a record, one string of
bytes, and one kind of error."""

import io
import json
from functools import cache
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluvial.wire._generated.codecs import FITS, READERS, REFUSALS, WRITERS
from fluvial.wire._generated.versions import VERSIONS
from fluvial.wire.errors import DecodeError
from fluvial.wire.framing import HEADER_BYTES, MAGIC, _decode_slowly, decode, encode, version_of
from fluvial.wire.version import Version
from tests.laws.effort import examples
from tests.unit.fluvial.wire.samples import EVERY_VERSION, RECORDS, records, records_of, sample_of, schema_of
from tests.unit.fluvial.wire.slow_avro import write

every_version = pytest.mark.parametrize("version", EVERY_VERSION, ids=str)
EVERY_BIT = settings.default.max_examples >= 100
few = examples(6)  # for each version of each record


def _written(value: Any, version: Version) -> bytes:
    """The bytes of a record in this version, by the generated writer, that all other writers must agree with."""
    out = [MAGIC + version.fingerprint]
    WRITERS[version.record][version.number - 1](value, out)
    return b"".join(out)


@cache
def _parsed(version: Version) -> Any:
    return fastavro.parse_schema(json.loads(version.schema))


def _refused_or_canonical(data: bytes, version: Version) -> None:
    _fast_only_what_the_slow_one_takes(data, version)
    try:
        value: Any = decode(data, version.record)
    except DecodeError:
        return
    assert _written(value, version_of(data)) == data


def _fast_only_what_the_slow_one_takes(data: bytes, version: Version) -> None:
    try:
        value, end = READERS[version.record][version.number - 1](data, HEADER_BYTES)
    except REFUSALS:
        return
    if end == len(data):
        assert _decode_slowly(data, HEADER_BYTES, version) == value


def _same(one: Any, other: Any) -> bool:
    """Equal to the last bit: 0.0 is not -0.0."""
    newest = VERSIONS[type(one)][-1]
    return one == other and _written(one, newest) == _written(other, newest)


@every_version
@few
@given(data=st.data())
def test_all_writers_agree_and_what_was_encoded_decodes_to_the_same_record(
    version: Version, data: st.DataObject
) -> None:
    """The generated writer, the slow one, fastavro's; the generated reader, and the one that chooses the version."""
    value = data.draw(records_of(version))
    written, plain, out = _written(value, version), value.to_avro(), io.BytesIO()
    assert written[HEADER_BYTES:] == write(schema_of(version), plain)
    fastavro.schemaless_writer(out, _parsed(version), plain)
    assert written[HEADER_BYTES:] == out.getvalue()
    assert _same(decode(encode(value), version.record), value)
    assert _same(decode(written, version.record), value)
    assert READERS[version.record][version.number - 1](written, HEADER_BYTES) == (value, len(written))


@pytest.mark.parametrize("record", RECORDS)
@few
@given(data=st.data())
def test_a_version_holds_a_record_exactly_when_nothing_is_lost_in_it_and_the_oldest_is_written(
    record: type, data: st.DataObject
) -> None:
    value = data.draw(records(record))
    fitting = [fits is None or fits(value) for fits in FITS[record]]
    assert fitting == [_held(value, version) for version in VERSIONS[record]]
    assert fitting == sorted(fitting)
    assert version_of(encode(value)).number == fitting.index(True) + 1


def _held(value: Any, version: Version) -> bool:
    try:
        slow = write(schema_of(version), value.to_avro())
        return _same(_decode_slowly(slow, 0, version), value)
    except ValueError:  # a symbol that the version does not have
        return False


PAIRS = [(one, other) for one in EVERY_VERSION for other in VERSIONS[one.record] if other is not one]


@pytest.mark.parametrize(("writer", "reader"), PAIRS, ids=str)
@few
@given(data=st.data())
def test_versions_read_each_other_by_the_rules_of_avro(writer: Version, reader: Version, data: st.DataObject) -> None:
    """What resolution by fastavro makes of a record is what this library makes of it."""
    value = data.draw(records_of(writer))
    stream = io.BytesIO(_written(value, writer)[HEADER_BYTES:])
    try:
        resolved = fastavro.schemaless_reader(stream, _parsed(writer), _parsed(reader))
    except Exception:
        # Version 1 named no symbol for those that it does not know.
        assert reader.number == 1
        assert not FITS[reader.record][0](value)  # type: ignore[misc]  # a version with a newer one has the function
        return
    record: Any = reader.record
    if reader.number > writer.number or FITS[record][reader.number - 1](value):  # type: ignore[misc]  # likewise
        assert _same(record.from_avro(resolved), value)


@every_version
def test_every_cut_is_refused(version: Version) -> None:
    whole = _written(sample_of(version), version)
    for length in range(len(whole)):
        with pytest.raises(DecodeError):
            decode(whole[:length], version.record)


@every_version
def test_every_flipped_bit_is_refused_or_means_another_record(version: Version) -> None:
    """In `make test` two of each byte: the one that says whether a number goes on, and another in turn."""
    whole = _written(sample_of(version), version)
    for position in range(len(whole)):
        for bit in range(8) if EVERY_BIT else {7, position % 7}:
            flipped = bytearray(whole)
            flipped[position] ^= 1 << bit
            _refused_or_canonical(bytes(flipped), version)


@every_version
@few
@given(more=st.binary(min_size=1, max_size=20), tail=st.binary(max_size=200))
def test_bytes_behind_a_record_are_refused_and_those_behind_a_header_too_or_canonical(
    version: Version, more: bytes, tail: bytes
) -> None:
    whole = _written(sample_of(version), version)
    with pytest.raises(DecodeError):
        decode(whole + more, version.record)
    _refused_or_canonical(whole[:HEADER_BYTES] + tail, version)


@every_version
@few
@given(data=st.data())
def test_numbers_that_are_none_and_bytes_put_in_anywhere_are_refused_or_canonical(
    version: Version, data: st.DataObject
) -> None:
    whole = _written(data.draw(records_of(version, allow_nan=True)), version)
    _refused_or_canonical(whole, version)
    start = data.draw(st.integers(HEADER_BYTES, len(whole)))
    stop = data.draw(st.integers(start, len(whole)))
    _refused_or_canonical(whole[:start] + data.draw(st.binary(max_size=12)) + whole[stop:], version)


@given(junk=st.binary(max_size=64), record=st.sampled_from(RECORDS))
def test_bytes_of_any_kind_give_the_one_error(junk: bytes, record: type) -> None:
    with pytest.raises(DecodeError):
        decode(junk, record)
