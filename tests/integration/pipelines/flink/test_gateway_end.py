"""The JVM of a local job ends when the process that started it does, whatever ends that one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from pyflink import java_gateway

from pipelines.flink import environment

CHECKOUT = Path(__file__).resolve().parents[4]
PARENT = """
import sys, time
from pyflink import pyflink_gateway_server
from pipelines.flink import environment
environment._end_the_gateway_with_us()
child = pyflink_gateway_server.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""


def test_what_the_gateway_starts_is_killed_with_us() -> None:
    surroundings = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    parent = subprocess.Popen([sys.executable, "-c", PARENT], env=surroundings, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    wait_for(lambda: "die_with_parent" not in " ".join(child.cmdline()))
    parent.kill()
    parent.wait()
    parent.stdout.close()
    wait_for(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def test_the_gateways_client_ends_before_its_jvm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else what is let go of later is told to a JVM that is gone, with a traceback behind the job's last word."""
    ended: list[str] = []
    gateway = SimpleNamespace(shutdown=lambda: ended.append("client"))
    process = SimpleNamespace(terminate=lambda: ended.append("JVM"), wait=lambda _: None)
    monkeypatch.setattr(java_gateway, "_gateway", gateway)
    monkeypatch.setattr(environment, "_gateways", [process])
    environment.end_gateway()
    environment.end_gateway()
    assert ended == ["client", "JVM"]


def wait_for(condition) -> None:
    deadline = time.monotonic() + 60.0
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
