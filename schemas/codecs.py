"""Writes fluvial/wire/codecs.py: for each record of the contract a function that writes its Avro bytes and one that
reads them, without a step in between.

A general codec looks at the schema for every field of every record, makes a dict and then the record, and proves that
bytes are canonical by writing them again; that was most of what an envelope cost. The generated reader accepts only
canonical bytes, so there is nothing to prove; what it does not accept goes to the general one (`fluvial.wire.framing`),
which says why.
"""

from __future__ import annotations

import re
from typing import Any

_HEADER = '''"""Avro bytes of the contract's records, written and read straight.

Generated from schemas/*.avsc by `python -m schemas.generate`; do not edit.

A reader takes the data and the place where the record begins, and gives the record and the place after it. It accepts
nothing but canonical bytes: else it raises Unusual, or one of `REFUSALS`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from fluvial.wire import records
from fluvial.wire.varint import Unusual, int_bytes, long_bytes, rest_of_zigzag

_DOUBLE = struct.Struct("<d")

REFUSALS = (Unusual, IndexError, ValueError, struct.error)
"""What readers raise."""
'''


def codecs_module(enums: list[dict[str, Any]], records: list[dict[str, Any]], roots: list[str]) -> str:
    """The module's text. enums, records: every named type, records after those that they contain. roots: the names of
    the records that go on topics."""
    parts = [_HEADER.rstrip("\n")]
    parts += ["\n".join(_enum_tables(schema)) for schema in enums]
    functions = ["\n".join(lines) for schema in records for lines in (_writer(schema), _reader(schema))]
    tables = [
        "WRITERS: dict[type, Callable[[Any, list[bytes]], None]] = {",
        *(f"    records.{name}: _write_{snake_case(name)}," for name in roots),
        "}",
        '"""Of each record the function that appends its bytes to a list."""',
        "",
        "READERS: dict[type, Callable[[bytes, int], tuple[Any, int]]] = {",
        *(f"    records.{name}: _read_{snake_case(name)}," for name in roots),
        "}",
        '"""Of each record the function that reads it."""',
    ]
    return "\n\n".join(parts) + "\n\n\n" + "\n\n\n".join(functions) + "\n\n\n" + "\n".join(tables) + "\n"


def snake_case(name: str) -> str:
    """ModelUpdate: model_update."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _enum_tables(schema: dict[str, Any]) -> list[str]:
    name = schema["name"]
    upper = snake_case(name).upper()
    return [
        f"_{upper} = tuple(records.{name})",
        f"_{upper}_BYTES = {{one.value: long_bytes(place) for place, one in enumerate(records.{name})}}",
    ]


def _writer(schema: dict[str, Any]) -> list[str]:
    name = schema["name"]
    lines = [f"def _write_{snake_case(name)}(record: records.{name}, out: list[bytes]) -> None:"]
    lines.append("    add = out.append")
    for field in schema["fields"]:
        lines += ["    " + line for line in _write(field["type"], f"record.{field['name']}")]
    return lines


def _write(schema: Any, value: str) -> list[str]:
    """Statements that append a value."""
    if isinstance(schema, list):
        branch = ["    " + line for line in _write(schema[1], "value")]
        return [f"value = {value}", "if value is None:", '    add(b"\\0")', "else:", '    add(b"\\2")', *branch]
    if schema == "string":
        return [f"text = {value}.encode()", "add(long_bytes(len(text)))", "add(text)"]
    if schema == "bytes":
        return [f"add(long_bytes(len({value})))", f"add({value})"]
    if schema == "boolean":
        return [f'add(b"\\1" if {value} else b"\\0")']
    if schema == "double":
        return [f"add(_DOUBLE.pack({value}))"]
    if schema in ("int", "long"):
        return [f"add({schema}_bytes({value}))"]
    if schema["type"] == "enum":
        return [f"add(_{snake_case(schema['name']).upper()}_BYTES[{value}.value])"]
    if schema["type"] == "array":
        item = f"{value.rpartition('.')[2]}_item"
        each = ["        " + line for line in _write(schema["items"], item)]
        return [
            f"if {value}:",
            f"    add(long_bytes(len({value})))",
            f"    for {item} in {value}:",
            *each,
            'add(b"\\0")',
        ]
    return [f"_write_{snake_case(schema['name'])}({value}, out)"]


def _reader(schema: dict[str, Any]) -> list[str]:
    name = schema["name"]
    lines = [f"def _read_{snake_case(name)}(data: bytes, at: int) -> tuple[records.{name}, int]:"]
    for field in schema["fields"]:
        lines += ["    " + line for line in _read(field["type"], f"f_{field['name']}")]
    arguments = [f"        {field['name']}=f_{field['name']}," for field in schema["fields"]]
    return [*lines, f"    record = records.{name}(", *arguments, "    )", "    return record, at"]


_ZIGZAG = ["zigzag = data[at]", "at += 1", "if zigzag > 0x7F:", "    zigzag, at = rest_of_zigzag(zigzag, data, at)"]
_LENGTH = [*_ZIGZAG, "if zigzag & 1:", "    raise Unusual"]


def _read(schema: Any, target: str) -> list[str]:
    """Statements that set `target` to a value and move `at` behind it."""
    if isinstance(schema, list):
        branch = ["    " + line for line in _read(schema[1], target)]
        tag = ["tag = data[at]", "at += 1"]
        return [*tag, "if tag == 2:", *branch, "elif tag == 0:", f"    {target} = None", "else:", "    raise Unusual"]
    if schema in ("string", "bytes"):
        decode = ".decode()" if schema == "string" else ""
        return [*_LENGTH, "end = at + (zigzag >> 1)", f"{target} = data[at:end]{decode}", "at = end"]
    if schema == "boolean":
        return ["if data[at] > 1:", "    raise Unusual", f"{target} = data[at] == 1", "at += 1"]
    if schema == "double":
        # Not every way through a processor keeps the bits of a number that is none.
        nan = [f"if {target} != {target}:", "    raise Unusual"]
        return [f"({target},) = _DOUBLE.unpack_from(data, at)", *nan, "at += 8"]
    if schema in ("int", "long"):
        value = [f"{target} = (zigzag >> 1) ^ -(zigzag & 1)"]
        small = [f"if not -(1 << 31) <= {target} < 1 << 31:", "    raise Unusual"]
        return [*_ZIGZAG, *value, *(small if schema == "int" else [])]
    if schema["type"] == "enum":
        return [*_LENGTH, f"{target} = _{snake_case(schema['name']).upper()}[zigzag >> 1]"]
    if schema["type"] == "array":
        return _read_array(schema, target)
    return [f"{target}, at = _read_{snake_case(schema['name'])}(data, at)"]


def _read_array(schema: dict[str, Any], target: str) -> list[str]:
    """One block, or none, and the end: what writers write. Each item takes a byte at least."""
    item = f"{target}_item"
    each = ["        " + line for line in _read(schema["items"], item)]
    return [
        f"{target}_items: list[Any] = []",
        *_LENGTH,
        "if zigzag:",
        "    if zigzag >> 1 > len(data) - at:",
        "        raise Unusual",
        "    for _ in range(zigzag >> 1):",
        *each,
        f"        {target}_items.append({item})",
        "    if data[at]:",
        "        raise Unusual",
        "    at += 1",
        f"{target} = tuple({target}_items)",
    ]
