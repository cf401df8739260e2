"""A folder as a package: its digest, what is part of it, and what of it runs."""

import importlib
import os
import sys
from pathlib import Path

import pytest

from fluvial.edge.packages import PackageError, Packages, TaskPackage, pinned
from tests.unit.fluvial.edge.packages.packages_world import task_file, write


def digest(folder: Path) -> str:
    return TaskPackage.open(folder).digest


def test_a_folder_is_imported_under_its_normalised_name_wherever_it_lies(tmp_path: Path) -> None:
    package = TaskPackage.open(write(tmp_path / "some where"))
    assert (package.name, package.module) == ("chest-xray", "chest_xray")
    assert package.resolve("chest_xray.parts:width")() == 1
    assert package.resolve("chest_xray.model:Nets.other")(inputs=3).in_features == 4
    assert not list(package.folder.rglob("__pycache__"))


def test_folders_and_init_files_within_work_as_python_has_them(tmp_path: Path) -> None:
    folder = write(tmp_path, "deep", __init__="VERSION = 3\n")
    (folder / "inner" / "layers").mkdir(parents=True)
    (folder / "inner" / "layers" / "__init__.py").write_text("from ...parts import width as wide\n")
    (folder / "inner" / "plain.py").write_text("from deep import VERSION\nfrom deep.inner.layers import wide\n")
    package = TaskPackage.open(folder)
    assert package.resolve("deep.inner.plain:VERSION") == 3
    assert package.resolve("deep.inner.layers:wide")() == 1


def test_files_beside_the_code_are_read_as_python_has_it(tmp_path: Path) -> None:
    reading = """
from importlib.resources import files
from pathlib import Path
from pkgutil import get_data

WAYS = [
    files(__package__).joinpath("words.txt").read_text(),
    get_data(__package__, "words.txt").decode(),
    Path(__file__).with_name("words.txt").read_text(),
]
"""
    folder = write(tmp_path, "reads", reading=reading)
    (folder / "inner").mkdir()
    (folder / "inner" / "reading.py").write_text(reading)
    for place in (folder, folder / "inner"):
        (place / "words.txt").write_text(place.name)
    package = TaskPackage.open(folder)
    assert package.resolve("reads.reading:WAYS") == ["reads"] * 3
    assert package.resolve("reads.inner.reading:WAYS") == ["inner"] * 3


def test_the_digest_is_of_names_and_bytes_and_of_nothing_that_is_only_kept_there(tmp_path: Path) -> None:
    folder = write(tmp_path / "a")
    first = digest(folder)
    assert digest(write(tmp_path / "b")) == first
    for kept in ("__pycache__/model.cpython-311.pyc", ".fluvial/curve.json", "data/0.npz", "task.yaml", "inner.pyc"):
        (folder / kept).parent.mkdir(exist_ok=True)
        (folder / kept).write_bytes(b"x")
    assert digest(folder) == first
    (folder / "sub").mkdir()
    (folder / "sub" / "data").mkdir()
    assert digest(folder) == first  # an empty folder is no file
    (folder / "sub" / "data" / "more.py").write_bytes(b"")
    second = digest(folder)
    assert second != first
    (folder / "sub" / "data" / "more.py").rename(folder / "sub" / "data" / "less.py")
    assert digest(folder) not in (first, second)


def test_names_and_contents_cannot_be_exchanged(tmp_path: Path) -> None:
    first, second = tmp_path / "a" / "p", tmp_path / "b" / "p"
    for folder, (one, other) in ((first, (b"1", b"2")), (second, (b"2", b"1"))):
        folder.mkdir(parents=True)
        (folder / "x.py").write_bytes(one)
        (folder / "y.py").write_bytes(other)
    assert digest(first) != digest(second)


@pytest.mark.parametrize("target", ["elsewhere.py", "model.py", "nowhere"])
def test_links_are_refused(tmp_path: Path, target: str) -> None:
    folder = write(tmp_path)
    (tmp_path / "elsewhere.py").write_text("")
    os.symlink(tmp_path / target if target == "elsewhere.py" else folder / target, folder / "link.py")
    with pytest.raises(PackageError, match=r"link\.py is a link"):
        TaskPackage.open(folder)


def test_a_pipe_is_refused_and_not_read(tmp_path: Path) -> None:
    folder = write(tmp_path)
    os.mkfifo(folder / "pipe")
    with pytest.raises(PackageError, match="pipe is no file"):
        TaskPackage.open(folder)


def test_what_runs_is_what_was_digested_and_not_what_the_folder_becomes(tmp_path: Path) -> None:
    folder = write(tmp_path, "steady")
    (folder / "weights.bin").write_bytes(b"1")
    package = TaskPackage.open(folder)
    (folder / "parts.py").write_text("def width():\n    return 99\n")
    (folder / "weights.bin").write_bytes(b"2")
    assert package.resolve("steady.parts:width")() == 1
    with pytest.raises(PackageError, match="changed while it was in use"):
        package.read("weights.bin")
    with pytest.raises(PackageError, match="changed while it was in use"):
        package.check()
    assert TaskPackage.open(folder).resolve("steady.parts:width")() == 99


def test_bytecode_beside_the_code_never_runs(tmp_path: Path) -> None:
    import importlib._bootstrap_external as bootstrap

    folder = write(tmp_path, "honest")
    source = folder / "parts.py"
    stat = source.stat()
    evil = compile("def width():\n    return 666\n", "parts.py", "exec")
    cache = folder / "__pycache__" / f"parts.{sys.implementation.cache_tag}.pyc"
    cache.parent.mkdir()
    cache.write_bytes(bootstrap._code_to_timestamp_pyc(evil, int(stat.st_mtime), stat.st_size))  # type: ignore[attr-defined]
    assert TaskPackage.open(folder).resolve("honest.parts:width")() == 1


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        ("os:system", "is not in the package chest-xray: its code is named chest_xray.MODULE:NAME"),
        ("chest_xray_evil.model:net", "is not in the package"),
        ("chest_xray.gone:net", r"has no module chest_xray\.gone; it has .*model\.py"),
        ("chest_xray.model:gone", "has no gone"),
        ("chest_xray.bad:x", r"needs nothing_like_this, which is not installed here"),
        ("chest_xray.syntax:x", "cannot be imported: SyntaxError"),
        ("chest_xray.raises:x", "cannot be imported: ZeroDivisionError"),
        ("chest_xray.ends:x", "cannot be imported: SystemExit: 2"),
        ("chest_xray.bare:x", r"imports parts, which lies in the package: it is chest_xray\.parts, or from \. import"),
        ("chest_xray.model", "named as module:name"),
        ("chest_xray..model:net", "named as module:name"),
        ("chest_xray.model:", "named as module:name"),
    ],
)
def test_code_that_cannot_be_had_is_refused_saying_why(tmp_path: Path, reference: str, why: str) -> None:
    wrong = {"bad": "import nothing_like_this\n", "syntax": "def (", "raises": "1 / 0\n"}
    ends = "import argparse\nargparse.ArgumentParser().parse_args(['--of-another-program'])\n"
    folder = write(tmp_path, **wrong, ends=ends, bare="from parts import width\n")
    with pytest.raises(PackageError, match=why):
        TaskPackage.open(folder).resolve(reference)


@pytest.mark.parametrize("name", ["numpy", "json", "fluvial", "tests", "sys"])
def test_a_package_cannot_hide_other_code(tmp_path: Path, name: str) -> None:
    package = TaskPackage.open(write(tmp_path, name))
    with pytest.raises(PackageError, match=f"cannot be called {name}"):
        package.resolve(f"{name}.parts:width")


def test_a_folder_that_python_finds_by_itself_is_no_other_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(tmp_path, "on_the_path", __init__="")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert TaskPackage.open(folder).resolve("on_the_path.parts:width")() == 1
    other = write(tmp_path / "elsewhere", "imported_before", __init__="")
    monkeypatch.syspath_prepend(str(tmp_path / "elsewhere"))
    importlib.import_module("imported_before.parts")
    assert TaskPackage.open(other).resolve("imported_before.parts:width")() == 1
    write(tmp_path, "third", __init__="")
    third = TaskPackage.open(write(tmp_path / "another", "third"))
    with pytest.raises(PackageError, match="cannot be called third"):
        third.resolve("third.parts:width")


@pytest.mark.parametrize("name", ["Xray", "3d", "a b", "class", "a.b"])
def test_a_name_that_cannot_be_imported_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(PackageError, match="cannot be the name of a package"):
        TaskPackage.open(write(tmp_path, name))


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match=r"there is no folder .*gone"):
        TaskPackage.open(tmp_path / "gone")


def test_a_task_gets_the_package_that_it_pins_and_no_other(tmp_path: Path) -> None:
    folder = write(tmp_path)
    task = task_file()
    package = Packages([folder]).of(task)
    assert package is not None
    signed = pinned(task, package)
    assert signed.package is not None
    assert signed.package.digest == package.digest
    assert Packages([folder]).of(signed) == package
    (folder / "parts.py").write_text("def width():\n    return 2\n")
    with pytest.raises(PackageError, match=rf"pins .* with digest {package.digest}, but .* install"):
        Packages([folder]).of(signed)


def test_code_that_was_not_allowed_does_not_run_and_the_error_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match=r"not allowed here: get it from the task's operator.*--package chest-xray"):
        Packages([write(tmp_path, "other")]).of(task_file())
    assert Packages().of(task_file(**WITHOUT)) is None


def test_two_folders_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="are both chest_xray"):
        Packages([write(tmp_path / "a"), write(tmp_path / "b")]).of(task_file())


WITHOUT = {
    "package": None,
    "model": {"architecture": "logistic_regression"},
    "data": {},
    "evaluation": {"data": "x.safetensors", "metrics": ["accuracy"]},
}
