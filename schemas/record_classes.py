"""Writes fluvial/wire/records.py: for each type of the contract a class, with the fields of its newest version."""

from __future__ import annotations

from typing import Any

from schemas.contract import History, Schema, inner_types, named_types, shapes

_SCALARS = {"string": "str", "bytes": "bytes", "int": "int", "long": "int", "double": "float", "boolean": "bool"}

_LINE_LENGTH = 120
_HEADER = '''"""Records of the wire contract, each with the fields of its newest version.

Generated from schemas/*.avsc by `python -m schemas.generate`; do not edit.
"""

# ruff: noqa: E501 - documentation stands on one line

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from fluvial.wire.late_dataclass import dataclass

'''


def records_module(histories: tuple[History, ...]) -> str:
    """The module's text."""
    first = {name: {field["name"] for field in known[0].get("fields", ())} for name, known in shapes(histories).items()}
    named = named_types(history.newest for history in histories)
    out = [_HEADER]
    out += [_enum(schema) for schema in named.values() if schema["type"] == "enum"]
    out += [_record(schema, first[name]) for name, schema in named.items() if schema["type"] == "record"]
    return "\n".join(part.rstrip("\n") + "\n\n" for part in out).rstrip("\n") + "\n"


def python_default(schema: Schema, default: Any) -> str:
    """Expression of a field's default value."""
    if isinstance(schema, list):
        return "None"
    if isinstance(schema, dict):
        return "()" if schema["type"] == "array" else f"{schema['name']}.{default}"
    return 'b""' if schema == "bytes" else _literal(default)


def _literal(default: Any) -> str:
    if isinstance(default, str):
        return '"' + default.encode("unicode_escape").decode().replace('"', '\\"') + '"'
    return repr(default)


def _enum(schema: Schema) -> str:
    lines = [f"class {schema['name']}(StrEnum):", f'    """{schema["doc"]}"""', ""]
    lines += [f'    {symbol} = "{symbol}"' for symbol in schema["symbols"]]
    return "\n".join(lines) + "\n"


def _has_ints(schema: Schema) -> bool:
    """Whether a record inside this type has an int field, at any depth."""
    return any(field["type"] == "int" for inner in inner_types(schema) for field in inner.get("fields", ()))


def _python_type(schema: Schema) -> str:
    if isinstance(schema, list):
        return f"{_python_type(schema[1])} | None"
    if isinstance(schema, str):
        return _SCALARS[schema]
    if schema["type"] == "array":
        return f"tuple[{_python_type(schema['items'])}, ...]"
    return str(schema["name"])


def _to(schema: Schema, value: str) -> str:
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


def _from(schema: Schema, value: str) -> str:
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


def _record(schema: Schema, always: set[str]) -> str:
    """A record's class. always: the fields that every version has."""
    name = schema["name"]
    ints = tuple(field["name"] for field in schema["fields"] if field["type"] == "int")
    lines = ["@dataclass(frozen=True, slots=True, kw_only=True)"]
    lines += [f"class {name}:", f'    """{schema["doc"]}"""', ""]
    for field in schema["fields"]:
        default = f" = {python_default(field['type'], field['default'])}" if "default" in field else ""
        lines += [f"    {field['name']}: {_python_type(field['type'])}{default}", f'    """{field["doc"]}"""']
    nested = tuple(field["name"] for field in schema["fields"] if _has_ints(field["type"]))
    lines += ["", *_class_tuple("INT_FIELDS", ints), *_class_tuple("RECORD_FIELDS", nested), ""]
    lines += ["    def to_avro(self) -> dict[str, Any]:", "        return {"]
    lines += [f'            "{f["name"]}": {_to(f["type"], "self." + f["name"])},' for f in schema["fields"]]
    lines += ["        }", "", "    @classmethod", f"    def from_avro(cls, data: dict[str, Any]) -> {name}:"]
    lines += ["        return cls("]
    lines += [f"            {f['name']}={_from(f['type'], _value(f, always))}," for f in schema["fields"]]
    lines += ["        )"]
    return "\n".join(lines) + "\n"


def _value(field: Schema, always: set[str]) -> str:
    if field["name"] in always:
        return f'data["{field["name"]}"]'
    default = "None" if field["default"] is None else _avro_default(field)
    return f'data.get("{field["name"]}")' if default == "None" else f'data.get("{field["name"]}", {default})'


def _avro_default(field: Schema) -> str:
    return 'b""' if field["type"] == "bytes" else _literal(field["default"])


def _class_tuple(name: str, values: tuple[str, ...]) -> list[str]:
    """A class attribute that is a tuple of strings, on one line where it fits."""
    quoted = [f'"{value}"' for value in values]
    inside = f"{quoted[0]}," if len(quoted) == 1 else ", ".join(quoted)
    line = f"    {name}: ClassVar[tuple[str, ...]] = ({inside})"
    if len(line) <= _LINE_LENGTH:
        return [line]
    return [line.partition("(")[0] + "(", *(f"        {value}," for value in quoted), "    )"]
