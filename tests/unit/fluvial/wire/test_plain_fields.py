"""Dataclasses from JSON objects, and what is said of those that are none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from fluvial.wire.plain_fields import document_of, read_fields


@dataclass(frozen=True, kw_only=True)
class Inner:
    kind: Literal["a", "b"] = "a"
    other: Literal["x"] | None = None
    file: Path | None = None

    def __post_init__(self) -> None:
        if self.kind == "b" and self.file is None:
            raise ValueError("inner.kind b needs inner.file")


@dataclass(frozen=True, kw_only=True)
class Outer:
    name: str
    count: int = 1
    inner: Inner = Inner()


def test_what_is_written_is_read_again_without_what_is_none() -> None:
    outer = Outer(name="ü", count=3, inner=Inner(kind="b", file=Path("x y")))
    assert document_of(outer) == {"name": "ü", "count": 3, "inner": {"kind": "b", "file": "x y"}}
    assert read_fields(Outer, '{"name": "ü", "count": 3, "inner": {"kind": "b", "file": "x y"}}', "file") == outer
    assert document_of(Outer(name="")) == {"name": "", "count": 1, "inner": {"kind": "a"}}
    assert read_fields(Outer, '{"name": "", "inner": {"file": null}}', "file") == Outer(name="")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "file: no JSON"),
        ("[" * 100_000, "file: no JSON"),
        ("[]", "file: must be an object, not list"),
        ("{}", "name: is missing"),
        ('{"name": 1, "count": true}', "count: must be a whole number, not True; name: must be a text, not 1"),
        ('{"name": "x", "count": 1.0}', "count: must be a whole number, not 1.0"),
        ('{"name": null}', "name: must be a text, not None"),
        ('{"name": "x", "more": 1}', "more: there is no such field here"),
        ('{"name": "x", "inner": 1}', "inner: must be an object, not 1"),
        ('{"name": "x", "inner": {"kind": "c"}}', r"inner\.kind: must be one of a, b, not 'c'"),
        ('{"name": "x", "inner": {"kind": []}}', r"inner\.kind: must be one of a, b, not list"),
        ('{"name": "x", "inner": {"file": [1]}}', r"inner\.file: must be a text, not list"),
        ('{"name": "x", "inner": {"kind": "b"}}', r"inner\.kind b needs inner\.file"),
        ('{"name": "\\ud800"}', "name: is no text of Unicode"),
    ],
)
def test_what_is_wrong_is_said_of_each_field(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_fields(Outer, text, "file")
