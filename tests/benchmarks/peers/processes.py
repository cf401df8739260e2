"""The processes of one run of a system: started here, waited for with a limit, and ended to the last one."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import psutil

from deploy.machine.processes import end, spawn
from tests.benchmarks.peers.environments import MARKER
from tests.benchmarks.peers.rounds import PeerFailed

_POLL_SECONDS = 0.05
_LAST_LINES = 8
_GRACE_SECONDS = 1.0


class Processes:
    """A context manager. At its end nothing runs of what bears its marker, not even what has left its parent.

    directory: takes a log file for each process.
    """

    def __init__(self, directory: Path, time_limit: float) -> None:
        self.marker = uuid.uuid4().hex
        self._directory = directory
        self._deadline = time.monotonic() + time_limit
        self._time_limit = time_limit
        self._started: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, command: Sequence[str], variables: Mapping[str, str]) -> subprocess.Popen[bytes]:
        child = spawn(command, log=self.log(name), environment=variables, folder=self._directory)
        self._started[name] = child
        return child

    def log(self, name: str) -> Path:
        return self._directory / f"{name}.log"

    def wait_until(self, done: Callable[[], bool], what: str) -> None:
        """Raises PeerFailed when a process ends before `done`, or when the run's time is over."""
        while not done():
            for name, child in self._started.items():
                status = child.poll()
                if status is not None and not done():
                    raise PeerFailed(f"{what}: {name} ended with status {status}\n{self._last_lines(name)}")
            if time.monotonic() > self._deadline:
                raise PeerFailed(f"{what}: not within {self._time_limit:.0f} s\n{self._last_lines('')}")
            time.sleep(_POLL_SECONDS)

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for child in self._started.values():
            child.terminate()  # all at once: none has to wait for those before it
        for child in self._started.values():
            end(child, grace_seconds=_GRACE_SECONDS)
        left = [process for process in psutil.process_iter() if self._is_ours(process)]
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(left, timeout=10.0)

    def _is_ours(self, process: psutil.Process) -> bool:
        with contextlib.suppress(psutil.Error):
            return process.pid != os.getpid() and process.environ().get(MARKER) == self.marker
        return False

    def _last_lines(self, name: str) -> str:
        """Of the process of that name and of the one that was started first, which is the server."""
        found = []
        for log in {self.log(each): None for each in (name, *list(self._started)[:1]) if each}:
            lines = log.read_text(errors="replace").splitlines() if log.exists() else []
            found += [f"--- {log}", *lines[-_LAST_LINES:]]
        return "\n".join(found)
