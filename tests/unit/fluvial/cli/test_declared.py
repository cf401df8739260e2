"""Verbs of installed projects."""

from importlib.metadata import entry_points
from pathlib import Path

import pytest

from fluvial.cli.declared import GROUP, Declared, installed


def test_they_are_those_that_pythons_own_reader_finds() -> None:
    expected = {(each.name, each.value) for each in entry_points(group=GROUP)}
    assert set(map(tuple, installed())) == expected
    for each in entry_points(group="console_scripts"):
        if each.name in ("fluvial", "pytest"):
            assert Declared(each.name, each.value).load() is each.load()


def test_files_are_read_as_they_are_specified(tmp_path: Path) -> None:
    write(
        tmp_path / "a" / "one-1.0.dist-info",
        "[console_scripts]\nx = y:z\n\n[fluvial.commands]\n# none = of:it\nsay=m:f\n",
    )
    write(
        tmp_path / "a" / "two.egg-info", "[ fluvial.commands ]\n  task.say  =  m.n : g.h [extra]  \n[other]\nno = m:f\n"
    )
    write(tmp_path / "a" / "three-1.dist-info", "")
    (tmp_path / "a" / "four-1.dist-info").mkdir()
    write(tmp_path / "b" / "One-2.0.dist-info", "[fluvial.commands]\nsay = older:f\n")
    write(tmp_path / "b" / "one.egg-info", "[fluvial.commands]\nsay = oldest:f\n")
    folders = [str(tmp_path / name) for name in ("absent", "a", "b")]
    assert installed(folders) == [("say", "m:f"), ("task.say", "m.n : g.h [extra]")]


def test_what_is_named_is_loaded(tmp_path: Path) -> None:
    assert Declared("x", "os.path : join [extra]").load() is __import__("os").path.join
    assert Declared("x", "pathlib:Path.home").load() == Path.home
    with pytest.raises(AttributeError):
        Declared("x", "os:absent").load()


def write(folder: Path, content: str) -> None:
    folder.mkdir(parents=True)
    (folder / "entry_points.txt").write_text(content)
