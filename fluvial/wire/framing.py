"""Records to bytes and back: Avro single-object encoding, decoded strictly.

    C3 01 ‖ CRC-64-AVRO fingerprint of the schema, 8 bytes little-endian ‖ Avro binary data

(Apache Avro 1.12 specification, "Single-object encoding"). Confluent framing, `00 ‖ schema id, 4 bytes big-endian ‖
data`, is accepted where the caller gives the ids that it has pinned. Decoding is an attack surface: schemas come from
a closed list, all bytes must be consumed, encoding the result must give the same bytes, and 32-bit fields must hold
32-bit numbers. Whatever the bytes are, the only error is a DecodeError.

Canonical bytes are read by generated code (`fluvial.wire.codecs`), which accepts nothing else; the rest is read by
fastavro and written again to be compared.
"""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Mapping
from typing import Any, TypeVar

import fastavro

from fluvial.wire.codecs import READERS, REFUSALS, WRITERS
from fluvial.wire.errors import Malformed, NonCanonical, SchemaUnknown
from fluvial.wire.records import FINGERPRINTS, SCHEMAS

T = TypeVar("T")

MAGIC = b"\xc3\x01"
HEADER_BYTES = 10
MAX_RECORD_BYTES = 4 << 20

_CONFLUENT_MAGIC = b"\x00"
_CONFLUENT_BYTES = 5

_HEADERS: dict[type, bytes] = {record: MAGIC + fingerprint for fingerprint, record in FINGERPRINTS.items()}
_PARSED: dict[type, Any] = {record: fastavro.parse_schema(json.loads(text)) for record, text in SCHEMAS.items()}


def encode(record: Any) -> bytes:
    """The record's bytes. Raises ValueError when a field does not fit its type."""
    kind = type(record)
    if kind not in _HEADERS:
        raise ValueError(f"{kind.__name__} is no record of the contract")
    out = [_HEADERS[kind]]
    try:
        WRITERS[kind](record, out)
        return b"".join(out)
    except (TypeError, OverflowError, AttributeError, KeyError, struct.error) as error:
        raise ValueError(f"a {kind.__name__} with a field of another type: {error}") from error


def decode(
    data: bytes,
    expected: type[T],
    *,
    max_bytes: int = MAX_RECORD_BYTES,
    confluent_ids: Mapping[int, type] | None = None,
) -> T:
    """The record of type `expected` that these bytes are, and no other bytes.

    confluent_ids: schema ids that the caller has pinned, where Confluent framing is allowed. Raises Malformed,
    SchemaUnknown or NonCanonical.
    """
    if len(data) > max_bytes:
        raise Malformed(f"{len(data)} bytes; at most {max_bytes} are read")
    data = bytes(data)
    header = _header_length(data, expected, confluent_ids)
    record: T
    try:
        record, end = READERS[expected](data, header)
        if end == len(data):
            return record
    except REFUSALS:
        pass
    return _decode_slowly(data, header, expected)


def _decode_slowly(data: bytes, header: int, expected: type[T]) -> T:
    """The record, where `fluvial.wire.codecs` finds the bytes unusual; most are no record, and this tells why."""
    stream = io.BytesIO(data)
    stream.seek(header)
    schema = _PARSED[expected]
    try:
        avro = fastavro.schemaless_reader(stream, schema, None)
        record: T = expected.from_avro(avro)  # type: ignore[attr-defined]  # every generated record has it
    except Exception as error:  # fastavro raises a dozen types, and hostile bytes reach all of them
        raise Malformed(f"not a {expected.__name__}: {type(error).__name__}") from error
    if stream.tell() != len(data):
        raise NonCanonical(f"{len(data) - stream.tell()} bytes after the {expected.__name__}")
    try:
        _check_ranges(record)
    except ValueError as error:
        raise Malformed(str(error)) from error
    again = io.BytesIO()
    fastavro.schemaless_writer(again, schema, avro)
    if again.getvalue() != data[header:]:
        raise NonCanonical(f"other bytes are the same {expected.__name__}")
    return record


def _header_length(data: bytes, expected: type, confluent_ids: Mapping[int, type] | None) -> int:
    if data[:2] == MAGIC:
        found = FINGERPRINTS.get(data[2:HEADER_BYTES])
        if found is None:
            raise SchemaUnknown(f"no schema has the fingerprint {data[2:HEADER_BYTES].hex()}")
        if found is not expected:
            raise SchemaUnknown(f"a {found.__name__} where a {expected.__name__} is expected")
        return HEADER_BYTES
    if confluent_ids is not None and data[:1] == _CONFLUENT_MAGIC and len(data) >= _CONFLUENT_BYTES:
        identity = int.from_bytes(data[1:_CONFLUENT_BYTES])
        if confluent_ids.get(identity) is not expected:
            raise SchemaUnknown(f"schema id {identity} is not pinned to {expected.__name__}")
        return _CONFLUENT_BYTES
    raise Malformed("no Avro single-object header")


def _check_ranges(record: Any) -> None:
    """Avro's int is 32 bits; fastavro reads and writes larger numbers without complaint."""
    for name in record.INT_FIELDS:
        value = getattr(record, name)
        if not -(1 << 31) <= value < 1 << 31:
            raise ValueError(f"{type(record).__name__}.{name} is {value}, not a 32-bit number")
    for nested in record.RECORD_FIELDS:
        value = getattr(record, nested)
        if isinstance(value, tuple):
            for item in value:
                _check_ranges(item)
        elif value is not None:
            _check_ranges(value)
