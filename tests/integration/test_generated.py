"""Generated files equal what would be generated now."""

import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]


@pytest.mark.parametrize("module", ["schemas.generate", "docs.generate"])
def test_what_is_generated_is_current(module: str) -> None:
    """Where this fails: `python -m MODULE`, and commit what it wrote."""
    command = [sys.executable, "-m", module, "--check"]
    found = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr
