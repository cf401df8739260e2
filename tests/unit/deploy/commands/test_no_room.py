"""Commands that write where nothing can be written: the true reason and what to do, no traceback, and at once."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from deploy.commands.demo import demo
from deploy.commands.up import up

RUNNER = CliRunner()
VERBS = typer.Typer()
VERBS.command()(up)
VERBS.command()(demo)
CHECKOUT = Path(__file__).resolve().parents[4]


def run_without_room(*arguments: str) -> subprocess.CompletedProcess[str]:
    """In a process in which no file takes a byte, as on a disk that is full."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    return subprocess.run(
        [sys.executable, "-c", "from fluvial.cli.main import run; run()", *arguments],
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        preexec_fn=limit,
    )


@pytest.mark.parametrize("command", [["up"], ["demo", "--task", "heart"]], ids=lambda words: words[0])
def test_a_disk_without_room_is_named_before_anything_starts(command: list[str], tmp_path: Path) -> None:
    ended = run_without_room(*command, "--data-dir", str(tmp_path / "data"))
    assert ended.returncode == 1
    assert "error: File too large: " in ended.stderr
    assert str(tmp_path / "data") in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    "command",
    [["up", "--data-dir"], ["demo", "--task", "heart", "--data-dir"], ["demo", "--task", "heart", "--json"]],
    ids=lambda words: f"{words[0]} {words[-1]}",
)
def test_a_file_in_the_place_of_a_folder_is_named_before_anything_starts(command: list[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    ended = RUNNER.invoke(VERBS, [*command, str(tmp_path / "file" / "below")])
    assert ended.exit_code == 1
    assert "error: Not a directory: " in ended.stderr
    assert "name another place" in ended.stderr
    assert (tmp_path / "file").read_text() == "precious"


def test_an_output_that_cannot_be_written_is_named_before_the_demonstration(tmp_path: Path) -> None:
    ended = RUNNER.invoke(VERBS, ["demo", "--task", "heart", "--json", str(tmp_path)])
    assert ended.exit_code == 1
    assert f"error: Is a directory: {tmp_path}" in ended.stderr
    assert ended.stdout == ""
