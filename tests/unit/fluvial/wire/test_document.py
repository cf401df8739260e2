"""Documents that people write: what is taken for a number, a truth value or a text, and what is refused in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fluvial.wire.document import MAX_BYTES, read_document


def read(folder: Path, content: str) -> Any:
    file = folder / "document.yaml"
    file.write_text(content, encoding="utf-8")
    return read_document(file)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("no", "no"),
        ("Yes", "Yes"),
        ("on", "on"),
        ("2026-11-27", "2026-11-27"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("0", 0),
        ("-12", -12),
        ("0x1F", 31),
        ("1e-05", 1e-05),
        ("-.5", -0.5),
        ('"010"', "010"),
    ],
)
def test_plain_values_are_those_of_yaml_1_2(tmp_path: Path, written: str, value: object) -> None:
    found = read(tmp_path, f"a: {written}\n")["a"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("written", ["010", "1:30", "1_000", "0b11", "-007", "1_0.5", "1:30.5"])
def test_a_number_that_two_editions_of_yaml_read_differently_is_refused(tmp_path: Path, written: str) -> None:
    with pytest.raises(ValueError, match=rf"{written} is not the same number to everybody"):
        read(tmp_path, f"a: {written}\n")


@pytest.mark.parametrize("name", ["half.yaml", "half.json"])
@pytest.mark.parametrize("content", ['{"a": {"b": ["\\ud800"]}}', '{"\\ud800": 1}'])
def test_half_a_character_is_refused_before_anything_is_made_of_it(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=r"holds '\\ud800', which is half of a character"):
        read_document(tmp_path / name)


def test_keys_of_any_kind_are_read_for_others_to_refuse(tmp_path: Path) -> None:
    assert read(tmp_path, "1: a\n~: b\n") == {1: "a", None: "b"}


def test_a_file_without_end_is_not_read_to_its_end() -> None:
    with pytest.raises(ValueError, match=f"more than {MAX_BYTES} bytes"):
        read_document(Path("/dev/zero"))
