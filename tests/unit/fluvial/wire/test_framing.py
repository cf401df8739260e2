"""What decoders are known to let through, one case each; the laws in tests/laws/test_framing.py search for more."""

import time
import tracemalloc
from dataclasses import replace
from typing import Any

import pytest

from fluvial.wire._generated.versions import VERSIONS
from fluvial.wire.errors import DecodeError, Malformed, NonCanonical, SchemaUnknown
from fluvial.wire.framing import HEADER_BYTES, MAGIC, decode, encode, version_of
from fluvial.wire.records import Envelope, ModelManifest, ModelUpdate, Reason, RoundEvent, Verdict
from fluvial.wire.version import Version
from tests.unit.fluvial.wire.samples import EVERY_VERSION, RECORDS, newest, sample, sample_of, schema_of
from tests.unit.fluvial.wire.slow_avro import long_, write


def _header(record: type) -> bytes:
    return encode(sample(record))[:HEADER_BYTES]


def _with_field(record: type, field: str, raw: bytes) -> bytes:
    """The sample's bytes with those of one field replaced."""
    avro, out = sample(record).to_avro(), _header(record)
    for each in schema_of(newest(record))["fields"]:
        out += raw if each["name"] == field else write(each["type"], avro[each["name"]])
    return out


def _field(record: type, field: str) -> bytes:
    """The sample's bytes of one field."""
    kind = next(each["type"] for each in schema_of(newest(record))["fields"] if each["name"] == field)
    return write(kind, sample(record).to_avro()[field])


@pytest.mark.parametrize("version", EVERY_VERSION, ids=str)
def test_the_slow_encoder_gives_the_same_bytes(version: Version) -> None:
    record = sample_of(version)
    assert encode(record) == MAGIC + version.fingerprint + write(schema_of(version), record.to_avro())


def test_the_header_is_that_of_the_specification() -> None:
    assert encode(sample(Verdict))[:2] == b"\xc3\x01" == MAGIC


@pytest.mark.parametrize("length", range(HEADER_BYTES + 1))
def test_a_cut_header_is_refused(length: int) -> None:
    with pytest.raises(DecodeError):
        decode(encode(sample(Verdict))[:length], Verdict)


def test_an_unknown_fingerprint_is_refused() -> None:
    with pytest.raises(SchemaUnknown, match="0000000000000000"):
        decode(MAGIC + bytes(8) + b"anything", Verdict)


def test_a_known_record_in_the_place_of_another_is_refused() -> None:
    with pytest.raises(SchemaUnknown, match="a Receipt where a Verdict"):
        decode(encode(sample(next(record for record in RECORDS if record.__name__ == "Receipt"))), Verdict)


def test_bytes_after_the_record_are_refused() -> None:
    with pytest.raises(NonCanonical, match="1 bytes after"):
        decode(encode(sample(Verdict)) + b"\0", Verdict)


def test_more_bytes_than_allowed_are_not_looked_at() -> None:
    data = encode(sample(Verdict))
    assert decode(data, Verdict, max_bytes=len(data)) == sample(Verdict)
    with pytest.raises(Malformed, match="at most"):
        decode(data, Verdict, max_bytes=len(data) - 1)


@pytest.mark.parametrize(
    ("record", "field", "raw"),
    [
        pytest.param(RoundEvent, "transition", long_(-1), id="an enum's last symbol, counted from the end"),
        pytest.param(ModelUpdate, "inline", long_(-1) + _field(ModelUpdate, "inline")[1:], id="a union likewise"),
        pytest.param(RoundEvent, "round", b"\x82\x00", id="a varint with a zero group"),
        pytest.param(ModelUpdate, "scales", long_(-2) + long_(16) + bytes(16) + b"\0", id="an array with a byte count"),
        pytest.param(ModelUpdate, "scales", (long_(1) + bytes(8)) * 2 + b"\0", id="an array of two blocks"),
        pytest.param(ModelManifest, "partial", b"\x02", id="a boolean of 2"),
    ],
)
def test_other_bytes_of_the_same_record_are_refused(record: type, field: str, raw: bytes) -> None:
    with pytest.raises(NonCanonical):
        decode(_with_field(record, field, raw), record)


@pytest.mark.parametrize("number", [1 << 31, 1 << 40, -(1 << 31) - 1])
def test_a_number_of_more_than_32_bits_is_no_int(number: int) -> None:
    with pytest.raises(Malformed, match="32-bit"):
        decode(_with_field(RoundEvent, "attempt", long_(number)), RoundEvent)


def test_the_ends_of_32_bits_are_ints() -> None:
    for number in (-(1 << 31), (1 << 31) - 1):
        record = replace(sample(RoundEvent), attempt=number)
        assert decode(encode(record), RoundEvent) == record


def test_an_int_inside_a_nested_record_is_checked_too() -> None:
    chunk = long_(1 << 40) + long_(0) + long_(4) + long_(32) + bytes(32)
    with pytest.raises(Malformed, match=r"ChunkReference\.partition"):
        decode(_with_field(ModelUpdate, "chunks", long_(1) + chunk + b"\0"), ModelUpdate)


@pytest.mark.parametrize(
    ("record", "field", "raw"),
    [
        pytest.param(RoundEvent, "task", long_(2) + b"\xff\xfe", id="a string that is no UTF-8"),
        pytest.param(RoundEvent, "task", long_(1 << 62), id="a string of 2^62 bytes"),
        pytest.param(RoundEvent, "task", long_(-5) + b"abcde", id="a string of -5 bytes"),
        pytest.param(RoundEvent, "transition", long_(99), id="an enum's 100th symbol"),
        pytest.param(RoundEvent, "round", b"\xff" * 11, id="a varint without end"),
        pytest.param(RoundEvent, "round", b"\xff" * 9 + b"\x7f", id="a varint of 70 bits"),
        pytest.param(ModelUpdate, "inline", long_(7), id="a union's eighth branch"),
        pytest.param(ModelUpdate, "scales", long_(1 << 62), id="2^62 items"),
        pytest.param(ModelUpdate, "scales", long_(-(1 << 62)) + long_(8) + bytes(8), id="-2^62 items"),
    ],
)
def test_malformed_fields_give_the_one_error(record: type, field: str, raw: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(_with_field(record, field, raw), record)


def test_a_claim_of_many_items_takes_neither_time_nor_memory() -> None:
    data = _header(ModelUpdate) + b"".join(
        long_(1 << 40)
        if field["name"] == "scales"
        else write(field["type"], sample(ModelUpdate).to_avro()[field["name"]])
        for field in schema_of(newest(ModelUpdate))["fields"]
    )
    tracemalloc.start()
    started = time.thread_time()
    with pytest.raises(DecodeError):
        decode(data, ModelUpdate)
    seconds, (_, peak) = time.thread_time() - started, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seconds < 1
    assert peak < 1 << 20


def test_confluent_framing_leads_to_pinned_schemas_alone() -> None:
    data = encode(sample(Verdict))
    assert version_of(data) is newest(Verdict)
    framed = b"\0" + (7).to_bytes(4) + data[HEADER_BYTES:]
    assert decode(framed, Verdict, confluent_ids={7: newest(Verdict)}) == sample(Verdict)
    with pytest.raises(Malformed):
        decode(framed, Verdict)
    for ids in ({}, {8: newest(Verdict)}, {7: newest(Envelope)}):
        with pytest.raises(SchemaUnknown):
            decode(framed, Verdict, confluent_ids=ids)
    with pytest.raises(Malformed):
        decode(framed[:4], Verdict, confluent_ids={7: newest(Verdict)})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("attempt", 1 << 31),
        ("round", 1 << 63),
        ("round", "one"),
        ("task", 3),
        ("task", b"bytes"),
        ("transition", "OPENED?"),
    ],
)
def test_a_field_that_does_not_fit_is_not_written(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=r".+"):
        encode(replace(sample(RoundEvent), **{field: value}))


def test_what_is_no_record_of_the_contract_is_not_written() -> None:
    with pytest.raises(ValueError, match="no record of the contract"):
        encode(sample(ModelUpdate).chunks[0])


NEWEST = replace(sample(Verdict), reason=Reason.CHUNK_CLAIMED)
OLDER = replace(NEWEST, reason=Reason.WEIGHT, scores=())


def test_a_record_is_written_in_the_oldest_version_that_holds_it() -> None:
    assert version_of(encode(OLDER)).number == 1
    assert version_of(encode(replace(OLDER, scores=NEWEST.scores))).number == 2
    assert version_of(encode(replace(OLDER, reason=Reason.CHUNK_CLAIMED))).number == 2
    assert [decode(encode(each), Verdict) for each in (NEWEST, OLDER)] == [NEWEST, OLDER]


def test_a_newer_version_of_a_record_that_an_older_one_holds_is_read_too() -> None:
    version = VERSIONS[Verdict][1]
    data = MAGIC + version.fingerprint + write(schema_of(version), OLDER.to_avro())
    assert decode(data, Verdict) == OLDER
    assert len(data) == len(encode(OLDER)) + 1


def test_a_version_has_the_symbols_of_its_time() -> None:
    place = list(Reason).index(Reason.CHUNK_CLAIMED)
    old = VERSIONS[Verdict][0]
    fields = [
        long_(place) if field["name"] == "reason" else write(field["type"], OLDER.to_avro()[field["name"]])
        for field in schema_of(old)["fields"]
    ]
    with pytest.raises(Malformed):
        decode(MAGIC + old.fingerprint + b"".join(fields), Verdict)


def test_the_bytes_of_one_version_under_the_name_of_another_are_refused() -> None:
    for data, other in ((encode(OLDER), 1), (encode(NEWEST), 0)):
        with pytest.raises(DecodeError):
            decode(MAGIC + VERSIONS[Verdict][other].fingerprint + data[HEADER_BYTES:], Verdict)


@pytest.mark.parametrize("junk", [b"", b"\xc3\x01", b"\0" * 20, MAGIC + bytes(8)])
def test_what_names_no_version_has_none(junk: bytes) -> None:
    with pytest.raises(DecodeError):
        version_of(junk)
