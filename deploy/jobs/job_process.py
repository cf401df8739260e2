"""The process of a job, or of what submits it (`pipelines.main`): started before it is known what it is to do.

Its Java starts and its modules are imported while this process finds that out, or while what the job needs starts. It
ends with this process, and with the thread that started it.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.machine.processes import end, kill, spawn
from fluvial.cli.interruption import postponed


class JobProcess:
    """Started at once; it does nothing to anybody until `tell`."""

    def __init__(self, arguments: Sequence[str], *, log: Path, environment: Mapping[str, str], folder: Path) -> None:
        """arguments: of `pipelines.main`, as far as they are known. log: of its output, which replaces an older one.
        folder: in which it works."""
        log.unlink(missing_ok=True)
        command = [sys.executable, "-m", "pipelines.main", *arguments, "--told"]
        started: subprocess.Popen[bytes] | None = None
        try:
            with postponed():
                started = spawn(command, log=log, environment=environment, folder=folder, stdin=subprocess.PIPE)
        except BaseException:  # also what was postponed: nobody else knows of the process
            if started is not None:
                self._process = started
                self.stop()
            raise
        self._process = started

    @property
    def pid(self) -> int | None:
        """None once it has ended."""
        return self._process.pid if self._process.poll() is None else None

    def tell(self, arguments: Sequence[str]) -> None:
        """Have it do its work. Where it has ended meanwhile, whoever waits for that work finds out."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError), self._process.stdin as pipe:
            pipe.write(json.dumps([*arguments]).encode() + b"\n")

    def wait(self, timeout_seconds: float | None = None) -> int:
        """Its exit status. Raises subprocess.TimeoutExpired."""
        return self._process.wait(timeout_seconds)

    def stop(self) -> None:
        """End it, and what it has started."""
        end(self._process)
        self._close()

    def kill(self) -> None:
        """SIGKILL to it and to what it has started, as a crash does it."""
        kill(self._process)
        self._close()

    def _close(self) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
