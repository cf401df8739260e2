from pathlib import Path
from typing import Any

import pytest

from schemas.contract import load
from schemas.evolution import check_history
from tests.unit.schemas.contracts import KIND, LONG, field, put, record

INNER = record(LONG, name="Inner")
OLD = record(LONG, field("kind", KIND), field("inner", {"type": "array", "items": INNER}))


def _check(folder: Path, new: dict[str, Any], *released: dict[str, Any]) -> None:
    for number, version in enumerate(released, 1):
        put(folder, version, number)
    put(folder, new)
    check_history(load(folder)[0])


def _with(*changes: dict[str, Any]) -> dict[str, Any]:
    """OLD with the fields of these names replaced, and the others at its end."""
    fields = {each["name"]: each for each in (*OLD["fields"], *changes)}
    return record(*fields.values())


@pytest.mark.parametrize(
    "new",
    [
        OLD,
        _with(field("more", "string", default="")),
        _with(field("more", ["null", "bytes"], default=None)),
        _with(field("kind", {**KIND, "symbols": ["A", "B", "C"]})),
        _with(field("inner", {"type": "array", "items": record(LONG, field("x", "int", default=0), name="Inner")})),
        _with({**LONG, "default": 0}),
    ],
)
def test_what_readers_of_both_versions_can_read_is_allowed(tmp_path: Path, new: dict[str, Any]) -> None:
    _check(tmp_path, new, OLD)


@pytest.mark.parametrize(
    ("new", "why"),
    [
        (_with(field("more", "string")), r"Thing\.more: is new, so it needs a default"),
        (record(*OLD["fields"][1:]), r"Thing\.number: is gone"),
        (record(field("more", "string", default=""), *OLD["fields"]), "keep their order"),
        (record(*reversed(OLD["fields"])), "keep their order"),
        (_with({**LONG, "type": "int"}), r"Thing\.number: another type"),
        (_with({**LONG, "type": ["null", "long"]}), r"Thing\.number: another type"),
        (_with(field("kind", {**KIND, "symbols": ["A"]})), r"Thing\.kind: symbols of Kind stay"),
        (_with(field("kind", {**KIND, "symbols": ["B", "A"]})), "symbols of Kind stay"),
        (_with(field("kind", {**KIND, "symbols": ["C", "A", "B"]})), "symbols of Kind stay"),
        (_with(field("kind", {**KIND, "default": "B"})), "default of Kind stays A"),
        (_with(field("kind", {**KIND, "name": "Sort"})), "type Kind became Sort"),
        (_with(field("inner", {"type": "array", "items": record(LONG, name="Other")})), "type Inner became Other"),
        (
            _with(field("inner", {"type": "array", "items": record(LONG, field("x", "int"), name="Inner")})),
            r"Thing\.inner\[\]\.x: is new",
        ),
        (_with(field("inner", INNER)), r"Thing\.inner: another type"),
    ],
)
def test_what_would_part_readers_from_records_is_refused(tmp_path: Path, new: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        _check(tmp_path, new, OLD)
    assert "thing.avsc does not fit version 1 of Thing" in str(caught.value)
    assert "schemas/README.md" in str(caught.value)


def test_an_enum_that_grows_names_what_old_readers_see(tmp_path: Path) -> None:
    plain = {key: value for key, value in KIND.items() if key != "default"}
    old = record(field("kind", plain))
    _check(tmp_path, record(field("kind", {**KIND, "symbols": ["A", "B", "C"]})), old)
    with pytest.raises(ValueError, match='needs a "default" symbol'):
        _check(tmp_path, record(field("kind", {**plain, "symbols": ["A", "B", "C"]})), old)


def test_the_default_of_a_field_stays(tmp_path: Path) -> None:
    old = record(LONG, field("more", "long", default=0))
    for new in (field("more", "long", default=1), field("more", "long")):
        with pytest.raises(ValueError, match=r"Thing\.more: the default"):
            _check(tmp_path, record(LONG, new), old)


def test_every_released_version_counts_not_the_last_alone(tmp_path: Path) -> None:
    """A released folder that is itself wrong is no excuse."""
    with pytest.raises(ValueError, match="version 1 of Thing"):
        _check(tmp_path, record(LONG), record(LONG, field("more", "long", default=0)), record(LONG))
