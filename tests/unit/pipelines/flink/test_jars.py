"""Finding the jars, and saying what to do when they are not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.flink.jars import flink_jars

CONNECTOR, ADAPTERS = "flink-sql-connector-kafka-5.0.0-2.2.jar", "fluvial-flink-adapters-0.1.0.jar"


def test_the_jars_of_the_named_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (CONNECTOR, ADAPTERS, "notes.txt"):
        (tmp_path / name).touch()
    monkeypatch.setenv("FLUVIAL_JARS", str(tmp_path))
    assert flink_jars() == [tmp_path / CONNECTOR, tmp_path / ADAPTERS]


@pytest.mark.parametrize("present", [[], [CONNECTOR], [ADAPTERS]])
def test_a_missing_jar_names_make_setup(present: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in present:
        (tmp_path / name).touch()
    monkeypatch.setenv("FLUVIAL_JARS", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="make setup"):
        flink_jars()
