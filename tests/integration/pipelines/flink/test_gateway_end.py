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

from pipelines.flink import gateway

CHECKOUT = Path(__file__).resolve().parents[4]
PARENT = """
import time
from pipelines.flink import gateway
gateway.begin()
print(gateway._started[0].process.pid, flush=True)
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


def test_the_gateways_client_ends_before_its_jvm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Else what is let go of later is told to a JVM that is gone, with a traceback behind the job's last word."""
    ended: list[str] = []
    client = SimpleNamespace(shutdown=lambda: ended.append("client"))
    process = SimpleNamespace(terminate=lambda: ended.append("JVM"), wait=lambda _: None)
    monkeypatch.setattr(java_gateway, "_gateway", client)
    monkeypatch.setattr(gateway, "_started", [gateway._Java(process, tmp_path)])
    gateway.end()
    gateway.end()
    assert ended == ["client", "JVM"]


def wait_for(condition) -> None:
    deadline = time.monotonic() + 60.0
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
