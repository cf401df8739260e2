"""A stack in a process of its own: what `fluvial up` and `fluvial down` do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from deploy.federation.directory import DataDirectory, StackState
from deploy.machine.errors import NotRunning, StackError, start_error
from deploy.machine.jars import CHECKOUT
from deploy.machine.processes import end_all, wait_until_ended

_START_SECONDS = 180.0
_STOP_SECONDS = 60.0


def start_detached(
    root: Path,
    *,
    task_managers: int,
    partitions: int,
    secure: bool,
    report: Callable[[str], None],
    named: bool = True,
) -> StackState:
    """Start a supervisor and wait until its stack is up. If interrupted, the supervisor stops what it has started.

    Raises StackError when a stack runs there already, or with the supervisor's own words when it cannot start.
    """
    directory = DataDirectory(root)
    state = directory.state()
    if state is not None and state.alive:
        raise StackError(f"a stack is {state.phase} in {directory.root}: `fluvial down` stops it")
    directory.make()
    command = [sys.executable, "-m", "deploy.local.supervisor", str(directory.root)]
    command += ["--task-managers", str(task_managers), "--partitions", str(partitions)]
    command += ["--secure"] if secure else []
    command += [] if named else ["--no-id"]
    with directory.supervisor_log.open("wb") as log:
        supervisor = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(CHECKOUT), os.environ.get("PYTHONPATH", "")])},
            start_new_session=True,
        )
    try:
        return _wait_until_up(directory, supervisor, report)
    except BaseException:
        if supervisor.poll() is None:
            supervisor.send_signal(signal.SIGTERM)
            supervisor.wait(_STOP_SECONDS)
        raise


def stop_detached(root: Path) -> None:
    """Stop the stack of a data directory and wait for its end. Raises NotRunning, StackError if it does not end."""
    directory = DataDirectory(root)
    state = directory.state()
    if state is None:
        raise NotRunning(f"no stack runs in {directory.root}")
    supervisor = state.supervisor.process()
    if supervisor is None:  # it was killed: what it left is ended by what it had recorded
        end_all(state.processes)
        directory.remove_state()
        raise NotRunning(f"the stack in {directory.root} was not stopped, its supervisor is gone; cleaned up after it")
    supervisor.terminate()
    if not wait_until_ended(state.supervisor, _STOP_SECONDS):
        raise StackError(f"the supervisor {state.supervisor.pid} did not end in {_STOP_SECONDS:.0f} s")


def _wait_until_up(
    directory: DataDirectory, supervisor: subprocess.Popen[bytes], report: Callable[[str], None]
) -> StackState:
    deadline, num_reported = time.monotonic() + _START_SECONDS, 0
    while True:
        ended = supervisor.poll() is not None
        lines = directory.supervisor_log.read_text(errors="replace").splitlines()
        state = directory.state()
        if state is not None and state.supervisor.pid == supervisor.pid and state.phase == "running":
            for line in lines[num_reported:]:
                report(line)
            return state
        if ended:
            raise start_error("the stack did not start", directory.supervisor_log)
        for line in lines[num_reported:]:
            report(line)
        num_reported = len(lines)
        if time.monotonic() > deadline:
            raise start_error(f"the stack was not up in {_START_SECONDS:.0f} s", directory.supervisor_log)
        time.sleep(0.05)
