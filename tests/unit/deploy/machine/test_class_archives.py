"""Archives of Java classes: used where they are there, and never in the way."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from deploy.machine import class_archives
from deploy.machine.processes import java


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(class_archives, "FOLDER", tmp_path)
    return tmp_path


def test_a_program_without_an_archive_starts_without(folder: Path) -> None:
    assert class_archives.options("broker") == []


def test_a_program_starts_from_its_archive(folder: Path) -> None:
    (folder / "broker.jsa").touch()
    assert f"-XX:SharedArchiveFile={folder / 'broker.jsa'}" in class_archives.options("broker")
    assert class_archives.options("client") == []


def test_a_folder_whose_name_java_would_take_apart_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("two words", "a:b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "broker.jsa").touch()
        monkeypatch.setattr(class_archives, "FOLDER", tmp_path / name)
        assert class_archives.options("broker") == []


def test_java_starts_without_a_word_where_the_archive_is_damaged_or_of_another_java(folder: Path) -> None:
    (folder / "broker.jsa").write_bytes(b"no archive" * 1000)
    command = [java(), *class_archives.options("broker"), "-version"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert "arning" not in ended.stdout + ended.stderr
    assert "rror" not in ended.stdout + ended.stderr
