"""Ending processes that are not our children."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from deploy.machine.processes import ProcessIdentity, end, end_all

NEVER_WAITS = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""
GRACE_SECONDS = 60.0


@pytest.fixture
def parent() -> Iterator[subprocess.Popen[str]]:
    parent = subprocess.Popen([sys.executable, "-c", NEVER_WAITS], stdout=subprocess.PIPE, text=True)
    yield parent
    for process in [*psutil.Process(parent.pid).children(), parent] if parent.poll() is None else []:
        process.kill()
    parent.wait()
    assert parent.stdout is not None
    parent.stdout.close()


def child_of(parent: subprocess.Popen[str]) -> psutil.Process:
    assert parent.stdout is not None
    return psutil.Process(int(parent.stdout.readline()))


def test_a_process_that_nobody_has_waited_for_has_ended(parent: subprocess.Popen[str]) -> None:
    """As the JVM of a job that is ended has, which is left to process 1."""
    child = child_of(parent)
    identity = ProcessIdentity.find("child", child.pid)
    assert identity is not None
    began = time.monotonic()
    end_all([identity], GRACE_SECONDS)
    assert child.status() == psutil.STATUS_ZOMBIE
    assert identity.process() is None
    assert time.monotonic() - began < GRACE_SECONDS / 2


def test_a_child_ends_with_what_it_has_started(parent: subprocess.Popen[str]) -> None:
    child = child_of(parent)
    end(parent, GRACE_SECONDS)  # type: ignore[arg-type]
    assert parent.poll() == -signal.SIGTERM
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
