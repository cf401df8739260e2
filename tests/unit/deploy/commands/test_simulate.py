"""`fluvial simulate`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import typer
import yaml
from safetensors import safe_open
from safetensors.numpy import save_file
from typer.testing import CliRunner

from deploy.commands.simulate import simulate
from fluvial.wire.task_file import TaskFile
from tests.unit.deploy.simulation.small_task import GROUPS, a_plan


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    task_file = a_plan(tmp_path).task_file
    (tmp_path / "task.yaml").write_text(yaml.safe_dump(task_file.model_dump(mode="json")))
    return tmp_path


def run(*arguments: object) -> tuple[int, str, str]:
    app = typer.Typer()
    app.command()(simulate)
    result = CliRunner().invoke(app, list(map(str, arguments)))
    return result.exit_code, result.stdout, result.stderr


def test_it_tells_each_round_the_course_and_the_groups(folder: Path) -> None:
    status, output, _ = run(folder)
    assert status == 0, output
    assert "round 3: 6 updates" in output
    assert "accuracy" in output
    assert "north" in output
    assert f"{GROUPS} participants, quorum 5, target 6, seed 0: 3 rounds" in output


def test_quorum_and_target_grow_with_the_participants(folder: Path) -> None:
    status, output, _ = run(folder, "--participants", 4 * GROUPS, "--rounds", 1, "--json")
    found = json.loads(output)
    assert status == 0
    assert (found["participants"], len(found["rounds"]), found["rounds"][0]["included"]) == (32, 1, 24)
    status, output, _ = run(folder, "--participants", 4 * GROUPS, "--rounds", 1, "--target", 10, "--json")
    assert json.loads(output)["rounds"][0]["included"] == 10


def test_the_page_stands_alone(folder: Path) -> None:
    page, picture = folder / "page.html", folder / "curve.png"
    assert run(folder, "--html", page)[0] == 0
    text = page.read_text()
    assert "<svg" in text
    assert "Small (simulated)" in text
    assert "http-equiv" not in text
    assert "<script" not in text
    assert run(folder, "--html", picture)[0] == 0
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "neither a folder with a task.yaml nor one of the examples"),
        (["heart", "--html", "/nowhere/page.html"], "there is no folder /nowhere"),
        (["heart", "--participants", "100000"], "examples are too few for 100000 participants"),
        (["heart", "--encoding", "int3"], "int3"),
    ],
)
def test_wrong_usage_says_what_to_do(arguments: list[str], message: str) -> None:
    status, _, complaint = run(*arguments)
    assert status == 2
    assert message in complaint


def test_a_folder_without_data_says_so(folder: Path) -> None:
    (folder / "participants.safetensors").unlink()
    status, _, complaint = run(folder)
    assert status == 2
    assert "there is no data at" in complaint


def test_who_was_refused_for_size_is_told_how_far_beyond_the_limit_and_what_to_do(folder: Path) -> None:
    task_file = TaskFile.read(folder / "task.yaml").model_dump(mode="json")

    def limited(**limits: float) -> tuple[int, str, str]:
        (folder / "task.yaml").write_text(
            yaml.safe_dump({**task_file, "quorum": 1, "limits": {**task_file["limits"], **limits}})
        )
        return run(folder)

    status, _, complaint = limited(max_norm=0.01)
    assert status == 2
    assert re.search(
        r"NORM_EXCEEDED \(L2 norms of 0\.\d+ to 0\.\d+, limits\.max_norm is 0\.01, mostly of [\w.]*weight\)",
        complaint,
    )
    assert "a smaller learning_rate or fewer epochs" in complaint
    status, _, complaint = limited(max_abs=0.01)
    assert status == 2
    assert "limits.max_abs is 0.01" in complaint


def test_names_of_groups_are_told_as_they_are(folder: Path) -> None:
    """Brackets mean something to the terminal's markup."""
    with safe_open(folder / "evaluation.safetensors", "numpy") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    names = json.dumps({"site": ["[/b]", "[low]\x1b[2J"]})
    save_file(tensors, folder / "evaluation.safetensors", metadata={"groups": names})
    status, output, complaint = run(folder)
    assert status == 0, complaint
    assert "[/b]" in output
    assert r"[low]\x1b[2J" in output
