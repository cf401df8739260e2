"""Generated files equal what would be generated now."""

import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]


def test_records_and_schemas_are_current() -> None:
    command = [sys.executable, "-m", "schemas.generate", "--check"]
    found = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr
