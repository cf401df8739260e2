"""The contract as it stands in this folder: of each record every version, oldest first.

`<record>.avsc` is the newest version, `versions/<Record>/<number>.avsc` are those that were released. Released ones are
never touched again: their bytes lie in logs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fastavro.schema

from schemas.rules import check_schema

FOLDER = Path(__file__).resolve().parent

Schema = Any
"""A schema as JSON has it: a name, a union's list or an object."""


@dataclass(frozen=True, slots=True)
class History:
    """A record's versions."""

    name: str
    file: Path
    """Where its newest version is edited."""
    newest: Schema
    versions: tuple[Schema, ...]
    """Version 1, 2 and so on. The last has the newest's shape: it is the newest, or a released one whose documentation
    alone was edited since."""
    num_released: int


def load(folder: Path = FOLDER) -> tuple[History, ...]:
    """Every record's versions, by file name. Raises ValueError for a schema that breaks the rules of `schemas.rules`,
    for two types of one name, and for a released record that has no newest version."""
    histories = []
    for path in sorted(folder.glob("*.avsc")):
        newest = _read(path)
        released = _released(folder, newest["name"])
        changed = not released or shape(newest) != shape(released[-1])
        versions = (*released, newest) if changed else released
        histories.append(History(newest["name"], path, newest, versions, len(released)))
    gone = {path.name for path in (folder / "versions").glob("*")} - {history.name for history in histories}
    if gone:
        raise ValueError(f"{', '.join(sorted(gone))}: was released, so logs hold it; its .avsc must stay")
    named_types(history.newest for history in histories)
    marks = [fingerprint(schema) for history in histories for schema in history.versions]
    if len(set(marks)) < len(marks):
        raise ValueError("two schemas have one fingerprint: rename a field that is not released")
    return tuple(histories)


def _released(folder: Path, name: str) -> tuple[Schema, ...]:
    paths = sorted((folder / "versions" / name).glob("*.avsc"), key=lambda path: int(path.stem))
    if [path.stem for path in paths] != [str(number) for number in range(1, len(paths) + 1)]:
        raise ValueError(f"versions/{name} must hold 1.avsc, 2.avsc and so on, none left out")
    return tuple(_read(path) for path in paths)


def _read(path: Path) -> Schema:
    schema = json.loads(path.read_text(encoding="utf-8"))
    check_schema(schema)
    return schema


def spelt_out(schema: Schema, known: dict[str, Schema] | None = None) -> Schema:
    """The schema with each name that refers to an earlier type replaced by that type."""
    known = {} if known is None else known
    if isinstance(schema, list):
        return [spelt_out(branch, known) for branch in schema]
    if isinstance(schema, str):
        return known.get(schema, schema)
    if schema["type"] == "array":
        return {**schema, "items": spelt_out(schema["items"], known)}
    if schema["type"] == "record":
        fields = [{**field, "type": spelt_out(field["type"], known)} for field in schema["fields"]]
        schema = {**schema, "fields": fields}
    known[schema["name"]] = schema
    return schema


def shape(schema: Schema) -> Schema:
    """What decides bytes, and nothing else: spelt out, without documentation, defaults and namespaces."""
    schema = spelt_out(schema)
    if isinstance(schema, list):
        return [shape(branch) for branch in schema]
    if isinstance(schema, str):
        return schema
    match schema["type"]:
        case "array":
            return {"type": "array", "items": shape(schema["items"])}
        case "enum":
            return {"type": "enum", "name": schema["name"], "symbols": schema["symbols"]}
    fields = [{"name": field["name"], "type": shape(field["type"])} for field in schema["fields"]]
    return {"type": "record", "name": schema["name"], "fields": fields}


def inner_types(schema: Schema) -> Iterator[Schema]:
    """Named types inside a schema that is spelt out, each after those that it contains; the schema's own comes last."""
    if isinstance(schema, list):
        yield from inner_types(schema[1])
    elif isinstance(schema, dict):
        if schema["type"] == "array":
            yield from inner_types(schema["items"])
        else:
            for field in schema.get("fields", ()):
                yield from inner_types(field["type"])
            yield schema


def named_types(schemas: Iterator[Schema]) -> dict[str, Schema]:
    """Every named type of these schemas by name, each after those that it contains. Raises ValueError where one name
    means two types."""
    found: dict[str, Schema] = {}
    for schema in schemas:
        for inner in inner_types(spelt_out(schema)):
            plain = {key: value for key, value in inner.items() if key != "namespace"}
            if found.setdefault(inner["name"], plain) != plain:
                raise ValueError(f"two types are named {inner['name']}: a type means the same in every newest schema")
    return found


def shapes(histories: tuple[History, ...]) -> dict[str, list[Schema]]:
    """Of each named type the shapes in which versions contain it, oldest first: types only grow."""
    found: dict[str, list[Schema]] = {}
    for history in histories:
        for version in history.versions:
            for inner in inner_types(shape(version)):
                known = found.setdefault(inner["name"], [])
                if inner not in known:
                    known.append(inner)
    return {name: sorted(known, key=lambda schema: len(text(schema))) for name, known in found.items()}


def text(schema: Schema) -> str:
    """The schema on one line, as generated code carries it."""
    return json.dumps(schema, separators=(",", ":"), sort_keys=True)


def fingerprint(schema: Schema) -> str:
    """CRC-64-AVRO of the parsing canonical form, hexadecimal, in little-endian order as the single-object header has
    it (Avro 1.12, "Schema Fingerprints")."""
    canonical = fastavro.schema.to_parsing_canonical_form(schema)
    return str(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO"))
