"""Commands that write where nothing can be written: the true reason and what to do, no traceback, and at once."""

from __future__ import annotations

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
