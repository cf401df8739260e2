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


WHILE_LOADING = """
import ctypes, threading
from pipelines.flink import process_end
rounds, skip = threading.Semaphore(0), process_end.skip_destructors
def skip_and_tell():
    skip()
    rounds.release()
process_end.skip_destructors = skip_and_tell
libc = ctypes.CDLL(None)
with process_end.skipping_destructors():
    libc.on_exit(libc.abort, None)
    while rounds.acquire(blocking=False):
        pass
    rounds.acquire()
    rounds.acquire()
    libc.exit(3)
"""


def test_what_is_registered_while_something_is_loaded_does_not_run_either() -> None:
    ended = subprocess.run([sys.executable, "-c", WHILE_LOADING], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 3, ended.stderr
