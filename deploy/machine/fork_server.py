"""One process that has imported what many need, and from which they are forked: torch is imported once for all of them.

    python -m deploy.machine.fork_server DESCRIPTOR MODULE...

imports the modules, and does what it is told over the socket of that descriptor, in lines of JSON (`deploy.machine.
forked` is the other end): run the `main` of a module in a process of its own, send it a signal. It has one thread, so
that no lock is held while it forks. Whoever ends it, what it has forked ends with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import select
import signal
import socket
import sys
import time
import traceback
from typing import Any, NoReturn

_PR_SET_PDEATHSIG = 1
_GRACE_SECONDS = 5.0
_POLL_SECONDS = 0.02
_READ_BYTES = 64 << 10


class ForkServer:
    """Serves one connection, whose end is its own."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._received = b""
        self._running: dict[int, int] = {}  # process ids, and the numbers that the other end knows them by
        self._ended, self._child_ended = os.pipe()

    def serve(self) -> None:
        """Until the other end closes; then everything that was forked ends."""
        os.set_blocking(self._child_ended, False)
        os.set_blocking(self._ended, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._child_ended)
        self._tell(ready=True)
        while True:
            readable, _, _ = select.select([self._connection.fileno(), self._ended], [], [])
            if self._ended in readable:
                os.read(self._ended, _READ_BYTES)
                self._reap()
            if self._connection.fileno() in readable:
                data = self._connection.recv(_READ_BYTES)
                if not data:
                    return self._end()
                *lines, self._received = (self._received + data).split(b"\n")
                for line in lines:
                    self._do(json.loads(line))

    def _do(self, order: dict[str, Any]) -> None:
        if "module" in order:
            self._fork(order)
            return
        for pid, number in self._running.items():  # those alone that have not been waited for: no other has their id
            if number == order["number"]:
                os.kill(pid, order["signal"])

    def _fork(self, order: dict[str, Any]) -> None:
        server = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._be(order, server)
        self._running[pid] = order["number"]
        self._tell(number=order["number"], pid=pid)

    def _be(self, order: dict[str, Any], server: int) -> NoReturn:
        """The process that was forked. It never returns into the server's frames."""
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._connection.close()
            os.close(self._ended)
            os.close(self._child_ended)
            os.setsid()
            _end_with(server)
            log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
            os.dup2(log, 1)
            os.dup2(log, 2)
            status = run(order["module"], order["arguments"])
        except BaseException:
            traceback.print_exc()
        finally:
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status)

    def _reap(self) -> None:
        while self._running:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            self._tell(number=self._running.pop(pid), status=os.waitstatus_to_exitcode(status))

    def _end(self) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in self._running:
                os.kill(pid, number)
            deadline = time.monotonic() + _GRACE_SECONDS
            while self._running and time.monotonic() < deadline:
                self._reap()
                time.sleep(_POLL_SECONDS)

    def _tell(self, **what: Any) -> None:
        with contextlib.suppress(OSError):  # who has closed his end listens no more
            self._connection.sendall(json.dumps(what).encode() + b"\n")


def run(module: str, arguments: list[str]) -> int:
    """The exit status of a module's `main`, as if it had been started by `python -m`."""
    sys.argv = [module, *arguments]
    try:
        importlib.import_module(module).main()
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _end_with(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))
        if os.getppid() != parent:  # it ended before the line above
            raise SystemExit(1)


def main() -> None:
    descriptor, *modules = sys.argv[1:]
    for module in modules:
        importlib.import_module(module)
    ForkServer(socket.socket(fileno=int(descriptor))).serve()


if __name__ == "__main__":
    main()
