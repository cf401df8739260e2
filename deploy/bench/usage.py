"""Peak memory and processor time of the processes of a measurement."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import psutil

_INTERVAL_SECONDS = 2.0 if sys.platform == "linux" else 0.2
"""On Linux only a process that ends would take with it what nobody has looked at, and none does before its measurement
has: to look at fifty participants five times a second took 4 % of a core."""


class Usage:
    """Watches processes while it is entered, and remembers each one's largest resident set.

    On Linux that is the kernel's own high-water mark (VmHWM), so that a peak between two looks counts; elsewhere the
    largest of the looks.
    """

    def __init__(self) -> None:
        self._watched: dict[int, str] = {}
        self._processes: dict[int, psutil.Process] = {}
        self._peaks: dict[int, int] = {}
        self._cpu_seconds: dict[int, float] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="usage", daemon=True)

    def watch(self, role: str, pid: int) -> None:
        """Count a process under a role. Several of one role are kept apart and reported by their largest."""
        with self._lock:
            self._watched[pid] = role
            with suppress(psutil.Error):
                self._processes[pid] = psutil.Process(pid)
        self._look()

    def megabytes(self) -> Mapping[str, float]:
        """By role the peak of the largest process, in 10^6 bytes. A process that was never seen alive is left out."""
        self._look_at_memory()
        with self._lock:
            roles: dict[str, int] = {}
            for pid, role in self._watched.items():
                if pid in self._peaks:
                    roles[role] = max(roles.get(role, 0), self._peaks[pid])
        return {role: peak / 1e6 for role, peak in roles.items()}

    def cpu_seconds(self) -> Mapping[str, float]:
        """By role the processor time so far of all its processes, of those that have ended as last seen. Differences of
        it tell what a phase cost, also on a machine that is busy with other things."""
        self._look_at_times()
        roles: dict[str, float] = {}
        with self._lock:
            for pid, seconds in self._cpu_seconds.items():
                roles[self._watched[pid]] = roles.get(self._watched[pid], 0.0) + seconds
        return roles

    def __enter__(self) -> Usage:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._look()
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(_INTERVAL_SECONDS):
            self._look()

    def _look(self) -> None:
        self._look_at_memory()
        self._look_at_times()

    def _look_at_memory(self) -> None:
        with self._lock:
            for pid in self._processes:
                peak = peak_bytes(pid)
                if peak is not None:
                    self._peaks[pid] = max(self._peaks.get(pid, 0), peak)

    def _look_at_times(self) -> None:
        with self._lock:
            for pid, process in self._processes.items():
                with suppress(psutil.Error):
                    times = process.cpu_times()
                    self._cpu_seconds[pid] = times.user + times.system


def peak_bytes(pid: int) -> int | None:
    """Largest resident set of a process so far, in bytes; None when it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        try:
            return int(psutil.Process(pid).memory_info().rss)
        except psutil.Error:
            return None
    return high_water_mark(status)


def high_water_mark(status: str) -> int | None:
    """VmHWM of the text of /proc/PID/status, in bytes; None for a zombie, which has no memory any more."""
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return None


def java_child(pid: int) -> int | None:
    """The JVM that a process started, directly or through others: of a local job, the one that runs its operators."""
    try:
        for child in psutil.Process(pid).children(recursive=True):
            if "java" in child.name():
                return int(child.pid)
    except psutil.Error:
        pass
    return None
