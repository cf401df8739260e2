"""The runtime keeps to itself: at its import it used to write its telemetry's session beside temporary files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
LOADED = "import sys, onnxruntime; assert 'onnxruntime' in sys.modules"


@pytest.mark.parametrize("first", ["fluvial.inference.session", "models.acceleration"])
def test_nothing_is_told_wherever_the_runtime_is_loaded(first: str, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    environment |= {"TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    script = f"import {first}; {LOADED}"
    subprocess.run([sys.executable, "-c", script], env=environment, check=True, timeout=120)
    assert list(tmp_path.iterdir()) == []
