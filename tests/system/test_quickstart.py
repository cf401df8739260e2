"""The README's quickstart, as a new user types it: every command of it, in order, in a copy of the checkout's place."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]


def quickstart() -> str:
    """The commands of the section, without the activation: the test's own environment stands for it."""
    section = re.search(r"^## Quickstart$(.*?)^## ", (CHECKOUT / "README.md").read_text(), re.M | re.S)
    assert section is not None
    blocks = re.findall(r"^```bash$(.*?)^```$", section.group(1), re.M | re.S)
    return "\n".join(blocks).replace("source .venv/bin/activate\n", "")


@pytest.mark.system
@pytest.mark.timeout(400)
def test_the_quickstart_runs(tmp_path: Path) -> None:
    (tmp_path / "deploy").symlink_to(CHECKOUT / "deploy")
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "160",
    }
    script = "set -e\n" + quickstart()
    try:
        done = subprocess.run(
            ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=380
        )
    finally:
        subprocess.run(["fluvial", "down"], cwd=tmp_path, env=environment, capture_output=True, timeout=60)
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    assert "bit-exact" in done.stdout
    assert "verified" in done.stdout
    assert (tmp_path / "heart.safetensors").stat().st_size > 0
