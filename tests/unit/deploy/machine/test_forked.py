"""Processes forked from one that has imported what they need: they run, tell how they end, and none outlives it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from deploy.machine.forked import Forked, ForkServer
from deploy.machine.jars import CHECKOUT
from deploy.machine.processes import end

MODULE = "tests.unit.deploy.machine.forked_module"
SLOW = "tests.unit.deploy.machine.slow_module"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
SECONDS = 30.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ForkServer]:
    server = ForkServer([MODULE], log=tmp_path / "server.log", environment=ENVIRONMENT)
    yield server
    server.close()


def wait_for(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def start_to_stay(server: ForkServer, log: Path) -> Forked:
    forked = server.start(MODULE, ["stay"], log=log)
    wait_for(lambda: log.exists() and "stays" in log.read_text())
    return forked


def test_a_main_runs_with_its_arguments_in_a_process_that_imports_nothing_again(
    server: ForkServer, tmp_path: Path
) -> None:
    log = tmp_path / "folder" / "child.log"
    children = [server.start(MODULE, ["say", text], log=log) for text in ("one", "two")]
    assert [child.wait(SECONDS) for child in children] == [0, 0]
    assert sorted(log.read_text().splitlines()) == ["one True 1", "two True 1"]
    assert len({server.process.pid, *(child.pid for child in children)}) == 3


def test_how_a_main_ends_is_told(server: ForkServer, tmp_path: Path) -> None:
    log = tmp_path / "child.log"
    ends = [["end", "0"], ["end", "7"], ["end", "words of its own"], ["raise"], ["say", "nothing"]]
    children = [server.start(MODULE, arguments, log=log) for arguments in ends]
    assert [child.wait(SECONDS) for child in children] == [0, 7, 1, 1, 0]
    assert "words of its own" in log.read_text()
    assert "ValueError: what went wrong" in log.read_text()
    children[1].kill()  # nothing is left to kill
    assert children[1].poll() == 7


def test_one_is_killed_and_the_others_go_on(server: ForkServer, tmp_path: Path) -> None:
    first, second = (start_to_stay(server, tmp_path / f"{name}.log") for name in ("first", "second"))
    first.kill()
    assert first.wait(SECONDS) == -signal.SIGKILL
    assert second.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        second.wait(0.01)
    end(second)
    assert second.poll() == -signal.SIGTERM


def test_closing_ends_all_that_was_forked(server: ForkServer, tmp_path: Path) -> None:
    children = [start_to_stay(server, tmp_path / f"{number}.log") for number in range(2)]
    processes = [psutil.Process(child.pid) for child in children]
    server.close()
    assert server.process.poll() is not None
    assert not any(process.is_running() for process in processes)
    assert [child.poll() for child in children] == [-signal.SIGTERM] * 2


def test_closing_does_not_wait_for_what_is_still_being_imported(tmp_path: Path) -> None:
    server = ForkServer([SLOW], log=tmp_path / "server.log", environment=ENVIRONMENT)
    child = server.start(MODULE, ["stay"], log=tmp_path / "child.log")
    assert child.poll() is None
    server.close()
    assert server.process.poll() == -signal.SIGKILL
    assert child.poll() is not None
    with pytest.raises(ProcessLookupError):
        _ = child.pid


@pytest.mark.skipif(os.uname().sysname != "Linux", reason="elsewhere nothing tells a process of its parent's end")
def test_what_was_forked_ends_with_a_server_that_is_killed(server: ForkServer, tmp_path: Path) -> None:
    child = start_to_stay(server, tmp_path / "child.log")
    process = psutil.Process(child.pid)
    server.process.kill()
    server.process.wait()
    wait_for(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE)
    assert child.wait(SECONDS) == -signal.SIGTERM
