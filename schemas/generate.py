"""Writes what follows from the contract: fluvial/wire/records.py and codecs.py from the schemas, task.schema.json from
the task file.

    python -m schemas.generate            write all three
    python -m schemas.generate --check    exit with 1 if one of them is not current

The schemas' text travels inside the generated module, so that it is there in a checkout, in a wheel and in a zip. The
module is written as the formatter wants it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import fastavro.schema

from fluvial.wire.task_file import TaskFile
from schemas.codecs import codecs_module
from schemas.rules import check_schema

FOLDER = Path(__file__).resolve().parent
RECORDS = FOLDER.parent / "fluvial" / "wire" / "records.py"
CODECS = RECORDS.with_name("codecs.py")
TASK_SCHEMA = FOLDER / "task.schema.json"

_SCALARS = {"string": "str", "bytes": "bytes", "int": "int", "long": "int", "double": "float", "boolean": "bool"}

_LINE_LENGTH = 120
_HEADER = '''"""Records of the wire contract.

Generated from schemas/*.avsc by `python -m schemas.generate`; do not edit.
"""

# ruff: noqa: E501 - schema texts and documentation stand on one line each

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

'''


def records_module() -> str:
    """The records' module. Raises ValueError for a schema that breaks the rules of `schemas.rules`."""
    named, records = _contract()
    out = [_HEADER]
    out.extend(_enum(schema) for schema in named.values() if schema["type"] == "enum")
    out.extend(_record(schema) for schema in _in_order(named))
    out.append(_tables(records))
    return "\n".join(part.rstrip("\n") + "\n\n" for part in out).rstrip("\n") + "\n"


def codecs() -> str:
    """The codecs' module. Raises ValueError as `records_module` does."""
    named, records = _contract()
    enums = [schema for schema in named.values() if schema["type"] == "enum"]
    known = {schema["name"]: schema for schema in named.values()}
    spelt = [spelt_out(schema, dict(known)) for schema in _in_order(named)]
    return codecs_module(enums, spelt, [name for name, _ in records])


def _contract() -> tuple[dict[str, dict[str, Any]], list[tuple[str, dict[str, Any]]]]:
    """Every named type by name, and the schemas with the names of their records."""
    named: dict[str, dict[str, Any]] = {}
    records: list[tuple[str, dict[str, Any]]] = []
    for path in sorted(FOLDER.glob("*.avsc")):
        schema = json.loads(path.read_text(encoding="utf-8"))
        check_schema(schema)
        records.append((schema["name"], schema))
        _collect(spelt_out(schema, {}), named)
    return named, records


def task_schema() -> str:
    """JSON Schema of the task file, for editors and for clients in other languages."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **TaskFile.model_json_schema()}
    return json.dumps(schema, indent=2) + "\n"


def spelt_out(schema: Any, known: dict[str, Any]) -> Any:
    """The schema with each name that refers to an earlier type replaced by that type."""
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


def _collect(schema: Any, named: dict[str, dict[str, Any]]) -> None:
    """All named types inside a schema, by name. The same name must mean the same type everywhere."""
    if isinstance(schema, list):
        for branch in schema:
            _collect(branch, named)
    elif isinstance(schema, dict):
        if schema["type"] in ("record", "enum"):
            plain = {key: value for key, value in schema.items() if key != "namespace"}
            if named.setdefault(schema["name"], plain) != plain:
                raise ValueError(f"two types are named {schema['name']}")
            for field in schema.get("fields", []):
                _collect(field["type"], named)
        elif schema["type"] == "array":
            _collect(schema["items"], named)


def _in_order(named: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Records after the records they contain."""
    done: list[dict[str, Any]] = []

    def visit(schema: dict[str, Any]) -> None:
        if schema in done:
            return
        inside: dict[str, dict[str, Any]] = {}
        for field in schema["fields"]:
            _collect(field["type"], inside)
        for inner in inside.values():
            if inner["type"] == "record":
                visit(inner)
        done.append(schema)

    for schema in named.values():
        if schema["type"] == "record":
            visit(schema)
    return done


def _enum(schema: dict[str, Any]) -> str:
    lines = [f"class {schema['name']}(StrEnum):", f'    """{schema["doc"]}"""', ""]
    lines += [f'    {symbol} = "{symbol}"' for symbol in schema["symbols"]]
    return "\n".join(lines) + "\n"


def _has_ints(schema: Any) -> bool:
    """Whether a record inside this type has an int field, at any depth."""
    inside: dict[str, dict[str, Any]] = {}
    _collect(schema, inside)
    return any(field["type"] == "int" for record in inside.values() for field in record.get("fields", []))


def _python_type(schema: Any) -> str:
    if isinstance(schema, list):
        return f"{_python_type(schema[1])} | None"
    if isinstance(schema, str):
        return _SCALARS[schema]
    if schema["type"] == "array":
        return f"tuple[{_python_type(schema['items'])}, ...]"
    return str(schema["name"])


def _to(schema: Any, value: str) -> str:
    """Expression that turns a field into what fastavro writes."""
    if isinstance(schema, list):
        inner = _to(schema[1], value)
        return value if inner == value else f"None if {value} is None else {inner}"
    if isinstance(schema, str):
        return value
    if schema["type"] == "enum":
        return f"{value}.value"
    if schema["type"] == "array":
        inner = _to(schema["items"], "item")
        return f"list({value})" if inner == "item" else f"[{inner} for item in {value}]"
    return f"{value}.to_avro()"


def _from(schema: Any, value: str) -> str:
    """Expression that turns what fastavro read into a field."""
    if isinstance(schema, list):
        inner = _from(schema[1], value)
        return value if inner == value else f"None if {value} is None else {inner}"
    if isinstance(schema, str):
        return value
    if schema["type"] == "enum":
        return f"{schema['name']}({value})"
    if schema["type"] == "array":
        inner = _from(schema["items"], "item")
        return f"tuple({value})" if inner == "item" else f"tuple([{inner} for item in {value}])"
    return f"{schema['name']}.from_avro({value})"


def _record(schema: dict[str, Any]) -> str:
    name = schema["name"]
    ints = tuple(field["name"] for field in schema["fields"] if field["type"] == "int")
    lines = ["@dataclass(frozen=True, slots=True, kw_only=True)", f"class {name}:", f'    """{schema["doc"]}"""', ""]
    for field in schema["fields"]:
        default = " = None" if isinstance(field["type"], list) else ""
        lines += [f"    {field['name']}: {_python_type(field['type'])}{default}", f'    """{field["doc"]}"""']
    nested = tuple(field["name"] for field in schema["fields"] if _has_ints(field["type"]))
    lines += ["", *_class_tuple("INT_FIELDS", ints), *_class_tuple("RECORD_FIELDS", nested), ""]
    lines += ["    def to_avro(self) -> dict[str, Any]:", "        return {"]
    lines += [f'            "{f["name"]}": {_to(f["type"], "self." + f["name"])},' for f in schema["fields"]]
    lines += ["        }", "", "    @classmethod", f"    def from_avro(cls, data: dict[str, Any]) -> {name}:"]
    lines += ["        return cls("]
    for f in schema["fields"]:
        value = f'data["{f["name"]}"]'
        lines.append(f"            {f['name']}={_from(f['type'], value)},")
    lines += ["        )"]
    return "\n".join(lines) + "\n"


def _class_tuple(name: str, values: tuple[str, ...]) -> list[str]:
    """A class attribute that is a tuple of strings, on one line where it fits."""
    quoted = [f'"{value}"' for value in values]
    inside = f"{quoted[0]}," if len(quoted) == 1 else ", ".join(quoted)
    line = f"    {name}: ClassVar[tuple[str, ...]] = ({inside})"
    if len(line) <= _LINE_LENGTH:
        return [line]
    return [line.partition("(")[0] + "(", *(f"        {value}," for value in quoted), "    )"]


def _tables(records: list[tuple[str, dict[str, Any]]]) -> str:
    lines = ["SCHEMAS: dict[type, str] = {"]
    for name, schema in records:
        lines.append(f"    {name}: {_text(schema)!r},")
    lines += ["}", '"""Schema of each record, JSON."""', ""]
    lines += ["FINGERPRINTS: dict[bytes, type] = {"]
    for name, schema in records:
        parsed = fastavro.schema.to_parsing_canonical_form(schema)
        # fastavro prints the CRC in little-endian order, as the single-object header has it.
        fingerprint = fastavro.schema.fingerprint(parsed, "CRC-64-AVRO")
        lines.append(f'    bytes.fromhex("{fingerprint}"): {name},')
    lines += [
        "}",
        '"""Record of each CRC-64-AVRO fingerprint, 8 bytes little-endian: the closed list that is decoded."""',
    ]
    lines += ["", "SCHEMA_SHA256: dict[type, str] = {"]
    for name, schema in records:
        lines.append(f'    {name}: "{hashlib.sha256(_text(schema).encode()).hexdigest()}",')
    lines += ["}", '"""SHA-256 of each schema\'s text: the fingerprint is no collision-resistant hash."""']
    return "\n".join(lines) + "\n"


def _text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, separators=(",", ":"), sort_keys=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a file is not current")
    arguments = parser.parse_args()
    status = 0
    for target, text in ((RECORDS, records_module()), (CODECS, codecs()), (TASK_SCHEMA, task_schema())):
        if not arguments.check:
            target.write_text(text, encoding="utf-8")
        elif not target.exists() or target.read_text(encoding="utf-8") != text:
            print(f"{target.name} is not current: run `python -m schemas.generate`", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
