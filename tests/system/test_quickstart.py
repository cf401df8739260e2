"""The pages of the documentation, as a new user types them: every command of the blocks marked `bash run`, in order, in
a copy of the checkout's place."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.docs.blocks import CHECKOUT, blocks

PAGES = ("quickstart.md", "read-the-log.md", "operating.md")


def script() -> str:
    """The commands, without the activation: the test's own environment stands for it."""
    run = [block for page in PAGES for block in blocks(CHECKOUT / "docs" / page, "bash run")]
    return "set -e\n" + "\n".join(run).replace("source .venv/bin/activate\n", "")


@pytest.mark.system
@pytest.mark.timeout(600)
def test_what_the_pages_say_runs(tmp_path: Path) -> None:
    (tmp_path / "deploy").symlink_to(CHECKOUT / "deploy")
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "160",
    }
    try:
        done = subprocess.run(
            ["bash", "-c", script()], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=540
        )
    finally:
        for folder in (".fluvial", "restored"):
            down = ["fluvial", "down", "--data-dir", folder]
            subprocess.run(down, cwd=tmp_path, env=environment, capture_output=True, timeout=60)
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    assert "bit-exact" in done.stdout
    assert done.stdout.count("verified") >= 3, done.stdout[-4000:]
    assert (tmp_path / "heart.safetensors").stat().st_size > 0
    assert (tmp_path / "leaf.bin").stat().st_size > 0
