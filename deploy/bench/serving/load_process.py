"""A process that asks, and the two that are given one: how a measurement starts a load and learns what became of it."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.bench.serving.open_loop import Outcome

_READY, _PATIENCE_SECONDS = "ready", 180.0


class LoadProcess:
    """Runs `python -m MODULE --out FILE ...`, which says "ready", waits for a line, and sends its load. A context
    manager."""

    def __init__(self, module: str, out: Path, arguments: Sequence[str]) -> None:
        self._out = out
        self._command = [sys.executable, "-m", module, "--out", str(out), *arguments]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        if self._process.stdout.readline().strip() != _READY:
            raise RuntimeError(f"the load {self._command[2]} has not started")
        return self

    @property
    def pid(self) -> int:
        return self._process.pid

    def start(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("start\n")
        self._process.stdin.flush()

    def outcome(self) -> Outcome:
        """Once it has ended. Raises RuntimeError where it failed."""
        if self._process.wait(_PATIENCE_SECONDS):
            raise RuntimeError(f"the load {self._command[2]} failed")
        return Outcome.load(self._out)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()


def load_arguments(description: str | None) -> argparse.ArgumentParser:
    """What every load is told; one may add what it alone needs."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--inputs", type=Path, required=True, help=".npy of uint8[N, ...] to draw from")
    parser.add_argument("--examples", type=int, required=True, help="in each request")
    parser.add_argument("--per-second", type=float, required=True, help="requests")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--seed", type=int, default=1)
    return parser


def wait_for_start() -> None:
    """What a load does when all it will send is made."""
    print(_READY, flush=True)
    sys.stdin.readline()


def send_at(intended: Sequence[float], send: Callable[[int], None]) -> float:
    """Send each request at its time; one whose time has passed goes out at once. Returns the monotonic time of zero."""
    begin = time.monotonic() + 0.05
    for number, at in enumerate(intended):
        ahead = begin + at - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)
        send(number)
    return begin
