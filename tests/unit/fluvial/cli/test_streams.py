"""What standard streams are made of."""

from __future__ import annotations

import os

import pytest

from fluvial.cli.streams import open_streams


@pytest.mark.parametrize(
    ("columns", "kept"), [("0", None), ("00", None), ("80", "80"), ("", ""), ("wide", "wide"), ("²", "²")]
)
def test_a_width_of_zero_is_none(monkeypatch: pytest.MonkeyPatch, columns: str, kept: str | None) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    open_streams()
    assert os.environ.get("COLUMNS") == kept
