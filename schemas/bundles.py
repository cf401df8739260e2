"""Writes schemas/bundle: the contract for other languages, where the .avsc files each stand alone.

fluvial.avsc: the newest version of every record as one union, each named type once, so that one parser takes it.
fingerprints.json: every version of every record by the fingerprint in single-object headers: what a reader of logs
needs.
"""

from __future__ import annotations

import json
from typing import Any

from schemas.contract import History, Schema, fingerprint, named_types

NAMESPACE = "org.fluvial.v1"


def union_of_all(histories: tuple[History, ...]) -> str:
    """The text of fluvial.avsc: types before the types that contain them, which then name them."""
    named = named_types(history.newest for history in histories)
    union = [{**_naming(schema), "namespace": NAMESPACE} for schema in named.values()]
    return json.dumps(union, indent=2) + "\n"


def by_fingerprint(histories: tuple[History, ...]) -> str:
    """The text of fingerprints.json: of each fingerprint, hexadecimal as it stands in headers, record, version and
    schema, a line for each."""
    lines = [
        f"  {json.dumps(fingerprint(schema))}: "
        + json.dumps({"record": history.name, "version": number, "schema": schema}, separators=(",", ":"))
        for history in histories
        for number, schema in enumerate(history.versions, 1)
    ]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _naming(schema: Any) -> Any:
    """A named type with the types inside it by name."""
    if "fields" not in schema:
        return schema
    return {**schema, "fields": [{**field, "type": _by_name(field["type"])} for field in schema["fields"]]}


def _by_name(schema: Schema) -> Schema:
    if isinstance(schema, list):
        return [_by_name(branch) for branch in schema]
    if isinstance(schema, str):
        return schema
    return {**schema, "items": _by_name(schema["items"])} if schema["type"] == "array" else schema["name"]
