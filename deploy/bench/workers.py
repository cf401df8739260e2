"""The participants' processes of a measurement: started together, told what to do, listened to."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any


class Workers:
    """Processes that report JSON lines, and take commands as lines. A context manager: they run within it."""

    def __init__(
        self,
        commands: Sequence[Sequence[str]],
        *,
        directory: Path,
        hosted: Sequence[int] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """commands: arguments of Python, for each process. directory: takes the file of their errors.

        hosted: participants of each process, each of which reports; one where it is not said. environment: variables
        besides this process's own.
        """
        self._commands, self._directory = commands, directory
        self._hosted = list(hosted) or [1] * len(commands)
        self._environment = {**os.environ, **(environment or {})}
        self._processes: list[subprocess.Popen[str]] = []
        self._reports: queue.Queue[tuple[int, dict[str, Any] | None]] = queue.Queue()

    @property
    def pids(self) -> list[int]:
        return [process.pid for process in self._processes]

    def tell_all(self, command: str) -> None:
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write(command + "\n")
            process.stdin.flush()

    def wait_for_all(self, event: str, round_number: int, timeout_seconds: float) -> list[dict[str, Any]]:
        """All reports until each participant has reported this event of this round.

        Raises RuntimeError when one ends or fails before, and TimeoutError.
        """
        waiting, reports = dict(enumerate(self._hosted)), []
        deadline = time.monotonic() + timeout_seconds
        while waiting:
            try:
                worker, report = self._reports.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise TimeoutError(
                    f"{sum(waiting.values())} participants have not {event} in round {round_number} "
                    f"after {timeout_seconds:.0f} s: see {self._errors}"
                ) from None
            if report is None or report["event"] == "failed":
                message = report["message"] if report else "ended"
                who = "participant" if max(self._hosted) == 1 else "the process of participants"
                raise RuntimeError(f"{who} {worker + 1}: {message}; see {self._errors}")
            reports.append(report)
            if (report["event"], report["round"]) == (event, round_number):
                waiting[worker] -= 1
                if not waiting[worker]:
                    del waiting[worker]
        return reports

    @property
    def _errors(self) -> Path:
        return self._directory / "participants.log"

    def __enter__(self) -> Workers:
        with self._errors.open("ab") as errors:
            for command in self._commands:
                process = subprocess.Popen(
                    [sys.executable, *command],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    text=True,
                    env=self._environment,
                )
                self._processes.append(process)
                threading.Thread(target=self._listen, args=(len(self._processes) - 1, process), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.close()
            if kind is not None:
                process.kill()
        for process in self._processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _listen(self, worker: int, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                self._reports.put((worker, json.loads(line)))
        if process.wait() != 0:
            self._reports.put((worker, None))
