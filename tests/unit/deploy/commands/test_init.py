"""`fluvial init`: what it writes runs as it is."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from deploy.commands.init import FILES, Template, init
from fluvial.edge.packages import Packages, TaskPackage
from fluvial.edge.training.task_code import TaskCode
from fluvial.wire.task_file import TaskFile


def run(verb: object, *arguments: object) -> tuple[int, str, str]:
    app = typer.Typer()
    app.command()(verb)  # type: ignore[type-var]  # a function
    result = CliRunner().invoke(app, list(map(str, arguments)))
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize("template", Template)
def test_nothing_is_left_of_the_words_that_stand_for_the_package(tmp_path: Path, template: Template) -> None:
    folder = tmp_path / "chest-xray"
    run(init, folder, "--template", template)
    for file in FILES:
        text = (folder / file).read_text()
        assert not {"NAME", "MODULE", "PATH"} & set(text.split())
        assert "MODULE." not in text
    assert "made up" in (folder / "README.md").read_text()
    assert "SYNTHETIC" in (folder / "data.py").read_text()
    assert set(TaskPackage.open(folder).files) == set(FILES) - {"task.yaml"}


def test_what_is_printed_and_written_can_be_pasted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _, printed, _ = run(init, "my work/chest-xray")
    assert printed.endswith("fluvial simulate 'my work/chest-xray'\n")
    assert "--package 'my work/chest-xray'\n" in (tmp_path / "my work/chest-xray/README.md").read_text()


def test_adapters_alone_travel(tmp_path: Path) -> None:
    folder = tmp_path / "tuned"
    run(init, folder, "--template", "adapters")
    layout = TaskCode.of(TaskFile.read(folder / "task.yaml"), Packages([folder])).state().layout
    assert {tensor.name for tensor in layout} == {
        *(f"layers.{layer}.adapter_{end}.weight" for layer in (0, 2) for end in ("in", "out")),
        "head.weight",
        "head.bias",
    }


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Chest X-ray", "cannot be the name of a package"),
        ("class", "cannot be the name"),
        ("math", "there is a Python module of this name"),
        ("torch", "there is a Python module of this name"),
    ],
)
def test_names_that_cannot_be_are_refused(tmp_path: Path, name: str, message: str) -> None:
    status, _, complaint = run(init, tmp_path / name)
    assert status != 0
    assert message in complaint
    assert not (tmp_path / name).exists()


def test_nothing_is_written_over(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    assert run(init, folder)[0] == 0
    (folder / "model.py").write_text("# mine\n")
    status, _, complaint = run(init, folder)
    assert status == 2
    assert "is there already" in complaint
    assert (folder / "model.py").read_text() == "# mine\n"
