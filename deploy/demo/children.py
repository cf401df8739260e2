"""The processes of a run: started, watched, and ended in the reverse order of their start.

They are started by the main thread, because a child is told to end when the thread that started it does.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.demo.errors import DemoFailed, tail
from deploy.machine.jars import CHECKOUT
from deploy.machine.processes import end, spawn
from fluvial.cli.interruption import uninterrupted

_GRACE_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """what: the process in words. log: its output. may_end: with exit status 0, that is no failure."""

    what: str
    process: subprocess.Popen[bytes]
    log: Path
    may_end: bool

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None


class Children:
    """A context manager: no child outlives it."""

    def __init__(self) -> None:
        self._children: list[Child] = []

    def start(self, what: str, module: str, arguments: Sequence[str], log: Path, *, may_end: bool = True) -> Child:
        """Run a module of this checkout with this interpreter."""
        environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"}
        return self.watch(
            what,
            spawn([sys.executable, "-m", module, *arguments], log=log, environment=environment),
            log,
            may_end=may_end,
        )

    def watch(self, what: str, process: subprocess.Popen[bytes], log: Path, *, may_end: bool = False) -> Child:
        """Watch and end a process that was started elsewhere."""
        child = Child(what=what, process=process, log=log, may_end=may_end)
        self._children.append(child)
        return child

    def check(self) -> None:
        """Raises DemoFailed for a child that has ended and should not have, with the end of its log."""
        for child in self._children:
            status = child.process.poll()
            if status is not None and not (child.may_end and status == 0):
                raise DemoFailed(f"{child.what} ended {how_it_ended(status)}\n{tail(child.log)}")

    def kill(self, child: Child) -> None:
        """SIGKILL, on purpose: its end is no failure."""
        child.process.send_signal(signal.SIGKILL)
        child.process.wait()
        self._children.remove(child)

    def end(self, child: Child) -> None:
        """End one before the others."""
        end(child.process, _GRACE_SECONDS)
        self._children.remove(child)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with uninterrupted():
            for child in self._children:
                if not child.ended:
                    child.process.terminate()  # all at once; `end` waits for each
            while self._children:
                end(self._children.pop().process, _GRACE_SECONDS)


def how_it_ended(status: int) -> str:
    """A process's return code, in words that follow "ended"."""
    return f"by {signal.Signals(-status).name}" if status < 0 else f"with exit status {status}"
