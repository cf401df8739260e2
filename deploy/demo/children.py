"""The processes of a run: started, watched, and ended together.

They are forked from one process that imports what they need, torch above all, while the stack starts: on few cores
that is done once, and a process which comes back has it at once.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.demo.errors import DemoFailed, tail
from deploy.machine.forked import ForkServer
from deploy.machine.jars import CHECKOUT
from deploy.machine.processes import Running
from fluvial.cli.interruption import uninterrupted


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """what: the process in words. log: its output. It may end with exit status 0; that is no failure."""

    what: str
    process: Running
    log: Path

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None


class Children:
    """A context manager: no child outlives it. Used by the main thread, because a child is told to end when the thread
    that started it does."""

    def __init__(self, modules: Sequence[str], log: Path) -> None:
        """modules: what the children need. log: output of the process that imports them, from the enter on."""
        self._modules, self._log = modules, log
        self._server: ForkServer | None = None
        self._children: list[Child] = []

    def start(self, what: str, module: str, arguments: Sequence[str], log: Path) -> Child:
        """Run the `main` of a module."""
        assert self._server is not None
        child = Child(what=what, process=self._server.start(module, arguments, log=log), log=log)
        self._children.append(child)
        return child

    def check(self) -> None:
        """Raises DemoFailed for a child that has ended and should not have, with the end of its log."""
        assert self._server is not None
        if (status := self._server.process.poll()) is not None:
            raise DemoFailed(f"the process that forks the others ended {how_it_ended(status)}\n{tail(self._log)}")
        for child in self._children:
            if status := child.process.poll():
                raise DemoFailed(f"{child.what} ended {how_it_ended(status)}\n{tail(child.log)}")

    def kill(self, child: Child) -> None:
        """SIGKILL, on purpose: its end is no failure."""
        child.process.kill()
        child.process.wait()
        self._children.remove(child)

    def __enter__(self) -> Self:
        environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"}
        self._server = ForkServer(self._modules, log=self._log, environment=environment)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        with uninterrupted():
            self._server.close()


def how_it_ended(status: int) -> str:
    """A process's return code, in words that follow "ended"."""
    return f"by {signal.Signals(-status).name}" if status < 0 else f"with exit status {status}"
