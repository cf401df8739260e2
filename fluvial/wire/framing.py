"""Records to bytes and back: Avro single-object encoding, decoded strictly.

    C3 01 ‖ CRC-64-AVRO fingerprint of the schema, 8 bytes little-endian ‖ Avro binary data

(Apache Avro 1.12 specification, "Single-object encoding"). Confluent framing, `00 ‖ schema id, 4 bytes big-endian ‖
data`, is accepted where the caller gives the ids that it has pinned. Decoding is an attack surface: schemas come from
a closed list, all bytes must be consumed, encoding the result must give the same bytes, and 32-bit fields must hold
32-bit numbers. Whatever the bytes are, the only error is a DecodeError.

A record has one class, with the fields of its newest version, and bytes in several versions, each with its own pinned
fingerprint (`schemas/README.md`). Every version is read; what it lacks has the default. Written is the oldest version
that holds the record, as DER leaves out what is default (X.690, 11.5): readers of a former version understand whatever
needs nothing newer, and records that were written stay what their bytes encode to.

Canonical bytes are read by generated code (`fluvial.wire._generated.codecs`), which accepts nothing else; the rest is
read by fastavro and written again to be compared.
"""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from fluvial.wire._generated.codecs import FITS, READERS, REFUSALS, WRITERS
from fluvial.wire._generated.versions import VERSIONS
from fluvial.wire.errors import Malformed, NonCanonical, SchemaUnknown
from fluvial.wire.version import Version

T = TypeVar("T")
U = TypeVar("U")

MAGIC = b"\xc3\x01"
HEADER_BYTES = 10
MAX_RECORD_BYTES = 4 << 20

_CONFLUENT_MAGIC = b"\x00"
_CONFLUENT_BYTES = 5


@dataclass(frozen=True, slots=True)
class _Codec:
    """How one version of a record is written and read."""

    version: Version
    record: type
    header: bytes
    fits: Callable[[Any], bool] | None
    write: Callable[[Any, list[bytes]], None]
    read: Callable[[bytes, int], tuple[Any, int]]


_CODECS: dict[type, tuple[_Codec, ...]] = {
    record: tuple(
        _Codec(version, record, MAGIC + version.fingerprint, fits, write, read)
        for version, fits, write, read in zip(versions, FITS[record], WRITERS[record], READERS[record], strict=True)
    )
    for record, versions in VERSIONS.items()
}
_BY_HEADER = {codec.header: codec for codecs in _CODECS.values() for codec in codecs}


def encode(record: Any) -> bytes:
    """The record's bytes, in the oldest version that holds it. Raises ValueError when a field does not fit its type."""
    kind = type(record)
    codecs = _CODECS.get(kind)
    if codecs is None:
        raise ValueError(f"{kind.__name__} is no record of the contract")
    try:
        for codec in codecs:
            if codec.fits is None or codec.fits(record):
                break
        out = [codec.header]
        codec.write(record, out)
        return b"".join(out)
    except (TypeError, OverflowError, AttributeError, KeyError, struct.error) as error:
        raise ValueError(f"a {kind.__name__} with a field of another type: {error}") from error


def decode(
    data: bytes,
    expected: type[T],
    *,
    max_bytes: int = MAX_RECORD_BYTES,
    confluent_ids: Mapping[int, Version] | None = None,
) -> T:
    """The record of type `expected` that these bytes are, in the version that they name, and no other bytes.

    confluent_ids: schema ids that the caller has pinned, where Confluent framing is allowed. Raises Malformed,
    SchemaUnknown or NonCanonical.
    """
    if len(data) > max_bytes:
        raise Malformed(f"{len(data)} bytes; at most {max_bytes} are read")
    data = bytes(data)
    codec, header = _BY_HEADER.get(data[:HEADER_BYTES]), HEADER_BYTES
    if codec is None or codec.record is not expected:
        codec, header = _confluent_codec(data, expected, confluent_ids), _CONFLUENT_BYTES
    record: T
    try:
        record, end = codec.read(data, header)
        if end == len(data):
            return record
    except REFUSALS:
        pass
    record = _decode_slowly(data, header, codec.version)
    return record


def decode_either(data: bytes, one: type[T], other: type[U]) -> T | U:
    """The record of one of two types that these bytes are. Raises as `decode`."""
    codec = _BY_HEADER.get(data[:HEADER_BYTES])
    return decode(data, other) if codec is not None and codec.record is other else decode(data, one)


def sole_header(kind: type) -> bytes | None:
    """What the bytes of such a record begin with, where it has one version; None where it has several."""
    codecs = _CODECS[kind]
    return codecs[0].header if len(codecs) == 1 else None


def version_of(data: bytes) -> Version:
    """The version of a record that these bytes name in their single-object header. Raises Malformed, SchemaUnknown."""
    codec = _BY_HEADER.get(data[:HEADER_BYTES])
    if codec is None:
        raise _unknown(data)
    return codec.version


def _decode_slowly(data: bytes, header: int, version: Version) -> Any:
    """The record, where the generated reader finds the bytes unusual; most are no record, and this tells why."""
    import fastavro  # late: what our own releases write, nobody needs it for

    stream = io.BytesIO(data)
    stream.seek(header)
    expected, schema = version.record, _parsed(version)
    try:
        avro = fastavro.schemaless_reader(stream, schema, None)
        record = expected.from_avro(avro)  # type: ignore[attr-defined]  # every generated record has it
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


@cache
def _parsed(version: Version) -> Any:
    import fastavro

    return fastavro.parse_schema(json.loads(version.schema))


def _confluent_codec(data: bytes, expected: type, confluent_ids: Mapping[int, Version] | None) -> _Codec:
    if confluent_ids is None or data[:1] != _CONFLUENT_MAGIC or len(data) < _CONFLUENT_BYTES:
        raise _unknown(data, expected)
    identity = int.from_bytes(data[1:_CONFLUENT_BYTES])
    version = confluent_ids.get(identity)
    if version is None or version.record is not expected:
        raise SchemaUnknown(f"schema id {identity} is not pinned to {expected.__name__}")
    return _BY_HEADER[MAGIC + version.fingerprint]


def _unknown(data: bytes, expected: type | None = None) -> Malformed | SchemaUnknown:
    if data[:2] != MAGIC:
        return Malformed("no Avro single-object header")
    found = _BY_HEADER.get(data[:HEADER_BYTES])
    if found is None or expected is None:
        mark = data[2:HEADER_BYTES].hex()
        return SchemaUnknown(f"no schema of this release has the fingerprint {mark}; a newer release may know it")
    return SchemaUnknown(f"a {found.record.__name__} where a {expected.__name__} is expected")


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
