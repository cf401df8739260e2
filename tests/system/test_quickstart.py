"""The pages of the documentation, as a new user types them: every command of the blocks marked `bash run`, in order, in
a copy of the checkout's place."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fluvial.wire.task_file import TaskFile
from tests.unit.docs.blocks import CHECKOUT, blocks

PAGES = ("quickstart.md", "read-the-log.md", "operating.md")


def script(*pages: str) -> str:
    """The commands, without the activation: the test's own environment stands for it."""
    run = [block for page in pages for block in blocks(CHECKOUT / "docs" / page, "bash run")]
    return "set -e\n" + "\n".join(run).replace("source .venv/bin/activate\n", "")


def run(script: str, folder: Path, seconds: float) -> subprocess.CompletedProcess[str]:
    """The script in a folder, and an end of what it may have left running."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "160",
    }
    try:
        return subprocess.run(
            ["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, timeout=seconds
        )
    finally:
        for data in (".fluvial", "restored"):
            down = ["fluvial", "down", "--data-dir", data]
            subprocess.run(down, cwd=folder, env=environment, capture_output=True, timeout=60)


@pytest.mark.system
@pytest.mark.timeout(600)
def test_what_the_pages_say_runs(tmp_path: Path) -> None:
    (tmp_path / "deploy").symlink_to(CHECKOUT / "deploy")
    done = run(script(*PAGES), tmp_path, 540)
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    assert "bit-exact" in done.stdout
    assert done.stdout.count("verified") >= 3, done.stdout[-4000:]
    assert (tmp_path / "heart.safetensors").stat().st_size > 0
    assert (tmp_path / "leaf.bin").stat().st_size > 0


@pytest.mark.system
@pytest.mark.soak
@pytest.mark.timeout(400)
def test_what_a_new_package_says_of_itself_runs_from_the_first_file_to_the_last_round(tmp_path: Path) -> None:
    began = run("fluvial init our-own --template tabular", tmp_path, 60)
    assert began.returncode == 0, began.stderr
    steps = blocks(tmp_path / "our-own" / "README.md", "bash")
    done = run("set -e\n" + "\n".join(steps), tmp_path, 360)
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    assert (tmp_path / "curve.html").stat().st_size > 0
    rounds = TaskFile.read(tmp_path / "our-own" / "task.yaml").rounds
    assert f"version {rounds}" in done.stdout, done.stdout[-4000:]
    assert "auc" in done.stdout


@pytest.mark.system
@pytest.mark.soak
@pytest.mark.timeout(600)
def test_what_the_page_on_acceleration_says_runs(tmp_path: Path) -> None:
    """Variants built, judged, served, measured by a participant; and one pruned, tuned in a round, verified."""
    (tmp_path / "deploy").symlink_to(CHECKOUT / "deploy")
    (tmp_path / "models").symlink_to(CHECKOUT / "models")
    done = run(script("acceleration.md"), tmp_path, 540)
    print(done.stdout)
    assert done.returncode == 0, f"{done.stdout[-8000:]}\n{done.stderr[-4000:]}"
    assert "bit-exact" in done.stdout
    assert "held: pruned_structured loses" in " ".join(re.sub("[│┃]", " ", done.stdout).split())
    assert "tuned by  the rounds of credit-3-pruned_tuned" in done.stdout
    assert "NOT VERIFIED" not in done.stdout
    assert (tmp_path / "account.html").stat().st_size > 0
