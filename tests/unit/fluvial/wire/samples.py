"""Records for tests, made from the schemas themselves: a new record or version is tested the moment it exists."""

from __future__ import annotations

import json
from functools import cache
from hashlib import sha256
from typing import Any

from hypothesis import strategies as st

from fluvial.wire._generated.versions import VERSIONS
from fluvial.wire.version import Version
from schemas.contract import spelt_out

RECORDS = tuple(VERSIONS)
EVERY_VERSION = tuple(version for versions in VERSIONS.values() for version in versions)


@cache
def schema_of(version: Version) -> Any:
    return spelt_out(json.loads(version.schema))


def newest(record: type) -> Version:
    return VERSIONS[record][-1]


def sample(record: type) -> Any:
    """One record of this type, always the same: each field's value follows from its place."""
    return sample_of(newest(record))


def sample_of(version: Version) -> Any:
    """The same, with what that version knows."""
    return version.record.from_avro(_sample(schema_of(version), version.record.__name__))  # type: ignore[attr-defined]


def records(record: type, *, allow_nan: bool = False) -> st.SearchStrategy[Any]:
    """Any records of this type."""
    return records_of(newest(record), allow_nan=allow_nan)


@cache
def records_of(version: Version, *, allow_nan: bool = False) -> st.SearchStrategy[Any]:
    """Any records of this version."""
    return _values(schema_of(version), allow_nan).map(version.record.from_avro)  # type: ignore[attr-defined]


def _sample(schema: Any, place: str) -> Any:
    if isinstance(schema, list):
        return _sample(schema[1], place)
    kind = schema if isinstance(schema, str) else schema["type"]
    digest = sha256(place.encode()).digest()
    match kind:
        case "string":
            return place
        case "bytes":
            return digest
        case "int":
            return int.from_bytes(digest[:3])
        case "long":
            return int.from_bytes(digest[:6])
        case "double":
            return int.from_bytes(digest[:3]) / 256
        case "boolean":
            return True
        case "enum":
            return schema["symbols"][-1]
        case "array":
            return [_sample(schema["items"], f"{place}.{index}") for index in range(2)]
    return {field["name"]: _sample(field["type"], f"{place}.{field['name']}") for field in schema["fields"]}


def _values(schema: Any, allow_nan: bool) -> st.SearchStrategy[Any]:
    if isinstance(schema, list):
        return st.none() | _values(schema[1], allow_nan)
    kind = schema if isinstance(schema, str) else schema["type"]
    match kind:
        case "string":
            return st.text(max_size=20)
        case "bytes":
            return st.binary(max_size=40)
        case "int":
            return st.integers(-(1 << 31), (1 << 31) - 1)
        case "long":
            return st.integers(-(1 << 63), (1 << 63) - 1)
        case "double":
            return st.floats(allow_nan=allow_nan)
        case "boolean":
            return st.booleans()
        case "enum":
            return st.sampled_from(schema["symbols"])
        case "array":
            return st.lists(_values(schema["items"], allow_nan), max_size=3)
    return st.fixed_dictionaries({field["name"]: _field(field, allow_nan) for field in schema["fields"]})


def _field(field: Any, allow_nan: bool) -> st.SearchStrategy[Any]:
    """A field's values. Half of them are its default, because former versions hold records of defaults alone."""
    values = _values(field["type"], allow_nan)
    if field.get("default") is None:
        return values
    return st.just(b"" if field["type"] == "bytes" else field["default"]) | values
