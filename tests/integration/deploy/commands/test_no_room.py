"""Commands on a disk that is full: the true reason, no traceback, and at once."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

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
