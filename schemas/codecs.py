"""Writes fluvial/wire/_generated/codecs.py: for each version of each record a function that writes its Avro bytes and
one that reads them, without a step in between.

A general codec looks at the schema for every field of every record, makes a dict and then the record, and proves that
bytes are canonical by writing them again; that was most of what an envelope cost. The generated reader accepts only
canonical bytes, so there is nothing to prove; what it does not accept goes to the general one (`fluvial.wire.framing`),
which says why.

A type that several versions or several records contain in the same shape is written once. Of a type that came in n
shapes, `_2` is the second; all but the last have a function `_fits` which says whether a record is one of that shape.
"""

from __future__ import annotations

import re
from typing import Any

from schemas.contract import History, Schema, named_types, shape, shapes
from schemas.record_classes import python_default

_HEADER = '''"""Avro bytes of the contract's records, written and read straight, for each version of each record.

Generated from schemas/*.avsc and schemas/versions by `python -m schemas.generate`; do not edit.

A reader takes the data and the place where the record begins, and gives the record and the place after it. It accepts
nothing but canonical bytes: else it raises Unusual, or one of `REFUSALS`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from fluvial.wire import records
from fluvial.wire.varint import NUM_SMALL, SMALL, Unusual, int_bytes, long_bytes, rest_of_zigzag

_DOUBLE = struct.Struct("<d")

REFUSALS = (Unusual, IndexError, ValueError, struct.error)
"""What readers raise."""
'''

_TABLES = (
    ("FITS", "fits", "Callable[[Any], bool] | None", "whether it holds a record; None: it holds all"),
    ("WRITERS", "write", "Callable[[Any, list[bytes]], None]", "appends a record's bytes to a list"),
    ("READERS", "read", "Callable[[bytes, int], tuple[Any, int]]", "reads it"),
)


def codecs_module(histories: tuple[History, ...]) -> str:
    """The module's text."""
    return _Codecs(histories).module()


def snake_case(name: str) -> str:
    """ModelUpdate: model_update."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


class _Codecs:
    def __init__(self, histories: tuple[History, ...]) -> None:
        self.histories = histories
        self.newest = named_types(history.newest for history in histories)
        """Types that have classes."""
        self.shapes = shapes(histories)

    def name(self, schema: Schema) -> str:
        """verdict for the only shape of a Verdict, verdict_2 for the second of several."""
        shapes = self.shapes[schema["name"]]
        number = f"_{shapes.index(schema) + 1}" if len(shapes) > 1 else ""
        return snake_case(schema["name"]) + number

    def module(self) -> str:
        every = [schema for known in self.shapes.values() for schema in known]
        enums = [schema for schema in every if schema["type"] == "enum"]
        records = [schema for schema in every if schema["type"] == "record"]
        functions = [lines for schema in records for lines in self._functions(schema)]
        parts = [_HEADER.rstrip("\n"), *("\n".join(self._enum_tables(schema)) for schema in enums)]
        blocks = ["\n\n".join(parts), *("\n".join(lines) for lines in functions)]
        return "\n\n\n".join(blocks) + "\n\n\n" + "\n\n".join(self._table(*table) for table in _TABLES) + "\n"

    def _table(self, table: str, verb: str, kind: str, doc: str) -> str:
        lines = [f"{table}: dict[type, tuple[{kind}, ...]] = {{"]
        for history in self.histories:
            versions = [shape(version) for version in history.versions]
            if verb == "fits":
                names = [f"_fits_{self.name(each)}" if self._narrow(each) else "None" for each in versions]
            else:
                names = [f"_{verb}_{self.name(each)}" for each in versions]
            lines += self._entry(history.name, names)
        return "\n".join([*lines, "}", f'"""Of each record, by version from the first, the function: {doc}."""'])

    @staticmethod
    def _entry(name: str, values: list[str]) -> list[str]:
        inside = f"{values[0]}," if len(values) == 1 else ", ".join(values)
        line = f"    records.{name}: ({inside}),"
        if len(line) <= 120:
            return [line]
        return [f"    records.{name}: (", *(f"        {one}," for one in values), "    ),"]

    def _enum_tables(self, schema: Schema) -> list[str]:
        name, upper = schema["name"], self.name(schema).upper()
        if self._narrow(schema):
            some = f"_{upper} = tuple(records.{name})[:{len(schema['symbols'])}]"
            return [some, f"_{upper}_SYMBOLS = frozenset(_{upper})"]
        table = f"_{snake_case(name).upper()}_BYTES"
        return [
            f"_{upper} = tuple(records.{name})",
            f"{table} = {{one.value: long_bytes(place) for place, one in enumerate(records.{name})}}",
        ]

    def _functions(self, schema: Schema) -> list[list[str]]:
        fits = [self._fits(schema)] if self._narrow(schema) else []
        return [*fits, self._writer(schema), self._reader(schema)]

    def _narrow(self, schema: Schema) -> bool:
        """Whether there are values of the type that do not fit this shape."""
        return bool(schema != self.shapes[schema["name"]][-1])

    def _fits(self, schema: Schema) -> list[str]:
        name = schema["name"]
        has = {field["name"]: field["type"] for field in schema["fields"]}
        conditions = []
        for field in self.newest[name]["fields"]:
            value = f"record.{field['name']}"
            if field["name"] in has:
                conditions += self._condition(has[field["name"]], value)
            else:
                conditions.append(_is_default(field, value))
        head = f"def _fits_{self.name(schema)}(record: records.{name}) -> bool:"
        line = f"    return {' and '.join(conditions)}"
        if len(line) <= 120:
            return [head, line]
        rest = [f"        and {condition}" for condition in conditions[1:]]
        return [head, "    return (", f"        {conditions[0]}", *rest, "    )"]

    def _condition(self, schema: Schema, value: str) -> list[str]:
        """What must hold of a value so that this shape holds it."""
        if isinstance(schema, list):
            return [f"({value} is None or {inner})" for inner in self._condition(schema[1], value)]
        if isinstance(schema, str):
            return []
        if schema["type"] == "array":
            return [f"all({inner} for item in {value})" for inner in self._condition(schema["items"], "item")]
        if not self._narrow(schema):
            return []
        if schema["type"] == "enum":
            return [f"{value} in _{self.name(schema).upper()}_SYMBOLS"]
        return [f"_fits_{self.name(schema)}({value})"]

    def _writer(self, schema: Schema) -> list[str]:
        head = f"def _write_{self.name(schema)}(record: records.{schema['name']}, out: list[bytes]) -> None:"
        values = [(field["type"], f"record.{field['name']}") for field in schema["fields"]]
        return [head, *("    " + line for line in self._write(values))]

    def _write(self, values: list[tuple[Schema, str]]) -> list[str]:
        """Statements that append values, those with a form of their own together."""
        lines: list[str] = []
        waiting: list[str] = []
        for schema, value in values:
            plain = self._plain(schema, value)
            if plain is None:
                lines += [*_appended(waiting), *self._write_branching(schema, value)]
                waiting = []
            else:
                before, parts = plain
                lines += before
                waiting += parts
        return [*lines, *_appended(waiting)]

    def _plain(self, schema: Schema, value: str) -> tuple[list[str], list[str]] | None:
        """What must be done first, and the expressions of a value's bytes; None where they are not always as many."""
        if schema in ("string", "bytes"):
            local, encode = f"f_{value.rpartition('.')[2]}", ".encode()" if schema == "string" else ""
            length = f"SMALL[n] if (n := len({local})) < NUM_SMALL else long_bytes(n)"
            return [f"{local} = {value}{encode}"], [length, local]
        if schema == "boolean":
            return [], [f'b"\\1" if {value} else b"\\0"']
        if schema == "double":
            return [], [f"_DOUBLE.pack({value})"]
        if schema in ("int", "long"):
            return [], [f"SMALL[n] if 0 <= (n := {value}) < NUM_SMALL else {schema}_bytes(n)"]
        if isinstance(schema, dict) and schema["type"] == "enum":
            return [], [f"_{snake_case(schema['name']).upper()}_BYTES[{value}.value]"]
        return None

    def _write_branching(self, schema: Schema, value: str) -> list[str]:
        if isinstance(schema, list):
            branch = ["    " + line for line in self._write([(schema[1], "value")])]
            none = ["if value is None:", '    out.append(b"\\0")']
            return [f"value = {value}", *none, "else:", '    out.append(b"\\2")', *branch]
        if schema["type"] == "array":
            item = f"{value.rpartition('.')[2]}_item"
            each = ["        " + line for line in self._write([(schema["items"], item)])]
            some = [f"if {value}:", f"    out.append(long_bytes(len({value})))", f"    for {item} in {value}:", *each]
            return [*some, 'out.append(b"\\0")']
        return [f"_write_{self.name(schema)}({value}, out)"]

    def _reader(self, schema: Schema) -> list[str]:
        name = schema["name"]
        lines = [f"def _read_{self.name(schema)}(data: bytes, at: int) -> tuple[records.{name}, int]:"]
        for field in schema["fields"]:
            lines += ["    " + line for line in self._read(field["type"], f"f_{field['name']}")]
        arguments = [f"        {field['name']}=f_{field['name']}," for field in schema["fields"]]
        return [*lines, f"    record = records.{name}(", *arguments, "    )", "    return record, at"]

    def _read(self, schema: Schema, target: str) -> list[str]:
        """Statements that set `target` to a value and move `at` behind it."""
        if isinstance(schema, list):
            branch = ["    " + line for line in self._read(schema[1], target)]
            tag = ["tag = data[at]", "at += 1"]
            none = ["elif tag == 0:", f"    {target} = None", "else:", "    raise Unusual"]
            return [*tag, "if tag == 2:", *branch, *none]
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
            return [*_LENGTH, f"{target} = _{self.name(schema).upper()}[zigzag >> 1]"]
        if schema["type"] == "array":
            return self._read_array(schema, target)
        return [f"{target}, at = _read_{self.name(schema)}(data, at)"]

    def _read_array(self, schema: Schema, target: str) -> list[str]:
        """One block, or none, and the end: what writers write. Each item takes a byte at least."""
        item = f"{target}_item"
        each = ["        " + line for line in self._read(schema["items"], item)]
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


_ZIGZAG = ["zigzag = data[at]", "at += 1", "if zigzag > 0x7F:", "    zigzag, at = rest_of_zigzag(zigzag, data, at)"]
_LENGTH = [*_ZIGZAG, "if zigzag & 1:", "    raise Unusual"]


def _appended(parts: list[str]) -> list[str]:
    if len(parts) < 2:
        return [f"out.append({part})" for part in parts]
    return ["out += (", *(f"    {part}," for part in parts), ")"]


def _is_default(field: Any, value: str) -> str:
    if isinstance(field["default"], bool):
        return value if field["default"] else f"not {value}"
    default = python_default(field["type"], field["default"])
    if isinstance(field["type"], list):
        return f"{value} is None"
    if field["type"] == "double":
        return f"_DOUBLE.pack({value}) == _DOUBLE.pack({default})"  # -0.0 equals 0.0, but has other bytes
    if isinstance(field["type"], dict) and field["type"]["type"] == "enum":
        default = f"records.{default}"
    return f"{value} == {default}"
