from pathlib import Path

import pytest

from schemas.contract import load, shape
from tests.unit.schemas.contracts import KIND, LONG, field, put, record


def test_a_record_that_was_never_released_has_one_version(tmp_path: Path) -> None:
    put(tmp_path, record(LONG))
    (history,) = load(tmp_path)
    assert (history.name, history.versions, history.num_released) == ("Thing", (record(LONG),), 0)


def test_what_is_edited_after_a_release_is_the_next_version(tmp_path: Path) -> None:
    changed = record(LONG, field("more", "string", default=""))
    put(tmp_path, record(LONG), 1)
    put(tmp_path, changed)
    (history,) = load(tmp_path)
    assert (history.versions, history.num_released) == ((record(LONG), changed), 1)


def test_documentation_may_be_edited_and_makes_no_version(tmp_path: Path) -> None:
    edited = record({**LONG, "doc": "Another text."})
    put(tmp_path, record(LONG), 1)
    put(tmp_path, edited)
    (history,) = load(tmp_path)
    assert (history.versions, history.newest) == ((record(LONG),), edited)


def test_versions_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    versions = [record(LONG, *(field(f"f{place}", "long", default=0) for place in range(count))) for count in range(11)]
    for number, version in enumerate(versions, 1):
        put(tmp_path, version, number)
    put(tmp_path, versions[-1])
    assert load(tmp_path)[0].versions == tuple(versions)


def test_no_version_is_left_out(tmp_path: Path) -> None:
    put(tmp_path, record(LONG))
    put(tmp_path, record(LONG), 2)
    with pytest.raises(ValueError, match=r"1\.avsc, 2\.avsc"):
        load(tmp_path)


def test_a_released_record_stays(tmp_path: Path) -> None:
    put(tmp_path, record(LONG))
    put(tmp_path, record(LONG, name="Gone"), 1)
    with pytest.raises(ValueError, match="Gone: was released"):
        load(tmp_path)


def test_two_records_of_one_shape_and_name_are_refused(tmp_path: Path) -> None:
    put(tmp_path, record(LONG))
    (tmp_path / "again.avsc").write_text((tmp_path / "thing.avsc").read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(ValueError, match="one fingerprint"):
        load(tmp_path)


def test_a_shape_is_what_bytes_depend_on() -> None:
    plain = record(LONG, field("kind", KIND), field("again", "Kind"))
    other = record({**LONG, "doc": "Else."}, field("kind", {**KIND, "doc": "Else."}), field("again", KIND, default="A"))
    assert shape(plain) == shape(other)
    assert shape(plain) != shape(record(LONG, field("kind", {**KIND, "symbols": ["A"]}), field("again", "Kind")))
