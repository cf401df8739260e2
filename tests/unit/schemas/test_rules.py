from typing import Any

import pytest

from schemas.rules import check_schema


def _record(*types: Any, name: str = "R") -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [{"name": f"f{i}", "type": each} for i, each in enumerate(types)]}


@pytest.mark.parametrize(
    "schema",
    [
        _record("string", "bytes", "int", "long", "double", "boolean"),
        _record({"type": "array", "items": "long"}, ["null", "bytes"]),
        _record({"type": "array", "items": _record("int", name="Inner")}),
        _record({"type": "enum", "name": "E", "symbols": ["A"]}),
    ],
)
def test_what_the_contract_needs_is_allowed(schema: Any) -> None:
    check_schema(schema)


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param(_record("R"), id="recursion by name"),
        pytest.param(_record({"type": "array", "items": "R"}), id="recursion through an array"),
        pytest.param(_record(["null", "R"]), id="recursion through a union"),
        pytest.param(_record(_record("int", name="R")), id="a record inside one of its name"),
        pytest.param(_record({"type": "map", "values": "int"}), id="map"),
        pytest.param(_record({"type": "array", "items": "null"}), id="items of size zero: null"),
        pytest.param(_record({"type": "array", "items": _record(name="E")}), id="items of size zero: record"),
        pytest.param(
            _record({"type": "array", "items": {"type": "fixed", "name": "F", "size": 0}}),
            id="items of size zero: fixed",
        ),
        pytest.param(_record(), id="record without fields"),
        pytest.param(_record({"type": "enum", "name": "E", "symbols": []}), id="enum without symbols"),
        pytest.param(_record(["int", "long"]), id="union of numbers"),
        pytest.param(_record(["null", "int", "long"]), id="union of three"),
        pytest.param(_record(["int", "null"]), id="union that does not start with null"),
        pytest.param(_record(["null"]), id="union of one"),
        pytest.param(_record(["null", ["null", "int"]]), id="union in a union"),
        pytest.param(_record({"type": "long", "logicalType": "timestamp-millis"}), id="timestamp"),
        pytest.param(_record({"type": "bytes", "logicalType": "decimal", "precision": 4}), id="decimal"),
        pytest.param(_record({"type": "string", "logicalType": "uuid"}), id="uuid"),
        pytest.param(_record({"type": "array", "items": "int", "logicalType": "own"}), id="logical type of an array"),
        pytest.param(_record("float"), id="float: a signalling NaN changes"),
        pytest.param(_record("null"), id="null"),
    ],
)
def test_what_a_decoder_stumbles_over_is_refused(schema: Any) -> None:
    with pytest.raises(ValueError, match=r".+"):
        check_schema(schema)


def test_a_type_may_be_named_again_once_it_is_complete() -> None:
    inner = {"type": "record", "name": "Inner", "fields": [{"name": "a", "type": "int"}]}
    fields = [{"name": "one", "type": inner}, {"name": "more", "type": {"type": "array", "items": "Inner"}}]
    check_schema({"type": "record", "name": "Outer", "fields": fields})
    with pytest.raises(ValueError, match="Inner"):
        check_schema({"type": "record", "name": "Outer", "fields": fields[1:]})


@pytest.mark.parametrize(
    ("kind", "default"),
    [
        ("string", "text"),
        ("bytes", ""),
        ("int", -1),
        ("long", 0),
        ("double", 0.5),
        ("double", 0),
        ("boolean", False),
        (["null", "long"], None),
        ({"type": "array", "items": "long"}, []),
        ({"type": "enum", "name": "E", "symbols": ["A", "B"], "default": "B"}, "A"),
    ],
)
def test_a_field_may_have_a_default_of_its_type(kind: Any, default: Any) -> None:
    check_schema({"type": "record", "name": "R", "fields": [{"name": "f", "type": kind, "default": default}]})


@pytest.mark.parametrize(
    ("kind", "default"),
    [
        ("string", None),
        ("string", 0),
        ("bytes", "00"),
        ("long", False),
        ("long", 0.0),
        ("long", "0"),
        ("boolean", 0),
        (["null", "long"], 0),
        ({"type": "array", "items": "long"}, [1]),
        ({"type": "enum", "name": "E", "symbols": ["A"]}, "B"),
        (_record("int"), {"f0": 1}),
    ],
)
def test_a_default_of_another_type_is_refused(kind: Any, default: Any) -> None:
    with pytest.raises(ValueError, match=r"Outer\.f.* no default"):
        check_schema({"type": "record", "name": "Outer", "fields": [{"name": "f", "type": kind, "default": default}]})


def test_an_enums_default_is_one_of_its_symbols() -> None:
    with pytest.raises(ValueError, match="none of its symbols"):
        check_schema(_record({"type": "enum", "name": "E", "symbols": ["A"], "default": "B"}))
