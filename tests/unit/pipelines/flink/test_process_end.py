"""A process that torch is loaded in ends whatever its destructors wait for."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

SCRIPT = """
import ctypes, sys
from pipelines.flink.process_end import skip_destructors
libc = ctypes.CDLL(None)
libc.on_exit(libc.abort, None)
if sys.argv[2] == "skipped":
    skip_destructors()
print("told")
sys.exit(int(sys.argv[1]))
"""


@pytest.mark.parametrize(("status", "how", "ends"), [(0, "run", -signal.SIGABRT), (0, "skipped", 0), (3, "skipped", 3)])
def test_what_was_registered_before_does_not_run_and_the_status_is_the_same(status: int, how: str, ends: int) -> None:
    ended = subprocess.run([sys.executable, "-c", SCRIPT, str(status), how], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (ends, "told\n"), ended.stderr
