"""Processes that are forked from one which has imported what they need (`deploy.machine.fork_server`)."""

from __future__ import annotations

import json
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from deploy.machine.processes import spawn

_END_SECONDS = 15.0
_READ_BYTES = 64 << 10


class Forked:
    """A process, used as a `subprocess.Popen` is. returncode: None while it runs."""

    def __init__(self, server: ForkServer, number: int) -> None:
        self._server, self._number = server, number
        self._pid: int | None = None
        self.returncode: int | None = None

    @property
    def pid(self) -> int:
        """Waits until it is forked. Raises ProcessLookupError where it never was."""
        self._server._listen(lambda: self._pid is not None or self.returncode is not None, None)
        if self._pid is None:
            raise ProcessLookupError("the server ended before it had forked the process")
        return self._pid

    def poll(self) -> int | None:
        self._server._listen(lambda: self.returncode is not None, 0.0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Raises subprocess.TimeoutExpired."""
        if not self._server._listen(lambda: self.returncode is not None, timeout) or self.returncode is None:
            raise subprocess.TimeoutExpired(["forked", str(self._number)], timeout or 0.0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            self._server._tell({"number": self._number, "signal": int(number)})

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class ForkServer:
    """Starts at once, and forks as soon as it has imported `modules`. Used by one thread, the one that starts it.

    No process that it has forked outlives it, and it ends with us.
    """

    def __init__(self, modules: Sequence[str], *, log: Path, environment: Mapping[str, str]) -> None:
        self._connection, other = socket.socketpair()
        self._received = b""
        self._forked: dict[int, Forked] = {}
        self._is_ready = False
        with other:
            number = str(other.fileno())
            command = [sys.executable, "-m", "deploy.machine.fork_server", number, *modules]
            self.process = spawn(command, log=log, environment=environment, keep_open=(other.fileno(),))

    def start(self, module: str, arguments: Sequence[str], *, log: Path) -> Forked:
        """Run the `main` of a module in a process of its own, its output appended to `log`, in a session of its own."""
        forked = Forked(self, len(self._forked))
        self._forked[len(self._forked)] = forked
        log.parent.mkdir(parents=True, exist_ok=True)
        self._tell({"number": forked._number, "module": module, "arguments": [*arguments], "log": str(log)})
        return forked

    def close(self) -> None:
        """End it with all that it has forked, and wait for their end."""
        self._listen(lambda: False, 0.0)
        if not self._is_ready:
            self.process.kill()  # it imports, and has forked nothing
        self._connection.close()
        try:
            self.process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._give_up()

    def _tell(self, what: dict[str, object]) -> None:
        try:
            self._connection.sendall(json.dumps(what).encode() + b"\n")
        except OSError:
            self._give_up()

    def _listen(self, done: Callable[[], bool], timeout: float | None) -> bool:
        """Take in what the server says until `done`, or the time is over, or it says no more. Whether it is done."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not done() and self._connection.fileno() >= 0:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            readable, _, _ = select.select([self._connection], [], [], left)
            if not readable:
                break
            data = self._connection.recv(_READ_BYTES)
            if not data:
                self._connection.close()
                self._give_up()
                break
            *lines, self._received = (self._received + data).split(b"\n")
            for line in lines:
                self._take(json.loads(line))
        return done()

    def _take(self, told: dict[str, int]) -> None:
        if "ready" in told:
            self._is_ready = True
        elif "pid" in told:
            self._forked[told["number"]]._pid = told["pid"]
        else:
            self._forked[told["number"]].returncode = told["status"]

    def _give_up(self) -> None:
        """The server is gone: what it had forked was told to end by its own end."""
        for forked in self._forked.values():
            if forked.returncode is None:
                forked.returncode = -signal.SIGTERM
