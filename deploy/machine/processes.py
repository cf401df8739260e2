"""Child processes that are ours for certain: known by process id and start time, ended only when both agree.

A process id alone is not enough: the system gives it to another process once ours has ended.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psutil

from deploy.machine.errors import StackError
from pipelines.flink.die_with_parent import dying_with_us

_LOOK_SECONDS = 0.01
_CLOCK_SECONDS = 1.5  # Linux reports starts relative to the boot, whose time moves with the clock


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessIdentity:
    """role: what it is in the stack. started: seconds since the epoch, as the system reports it."""

    role: str
    pid: int
    started: float

    @classmethod
    def find(cls, role: str, pid: int) -> ProcessIdentity | None:
        """The identity of the process that has this id now, None if there is none."""
        try:
            return cls(role=role, pid=pid, started=psutil.Process(pid).create_time())
        except psutil.NoSuchProcess:
            return None

    def process(self) -> psutil.Process | None:
        """The process if it is still this one and alive, else None."""
        try:
            process = psutil.Process(self.pid)
            if abs(process.create_time() - self.started) > _CLOCK_SECONDS or process.status() == psutil.STATUS_ZOMBIE:
                return None
            return process
        except psutil.NoSuchProcess:
            return None


class Running(Protocol):
    """What of a `subprocess.Popen` ending it takes."""

    @property
    def pid(self) -> int: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, number: int, /) -> None: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...


def spawn(
    command: Sequence[str],
    *,
    log: Path,
    environment: Mapping[str, str],
    folder: Path | None = None,
    keep_open: Sequence[int] = (),
    stdin: int = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """Start a command that ends with this process, its output appended to `log`, in the working directory
    `folder`. keep_open: descriptors that it gets. stdin: see subprocess.Popen.

    Java programs are given names relative to it: what else a path may hold (spaces, commas, hashes, letters beyond
    ASCII) would be taken apart somewhere, in their properties, their lists or their options.

    It gets a session of its own, so that Ctrl-C reaches us alone and we choose the order of the shutdown.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            dying_with_us([*command], signal.SIGTERM),
            stdin=stdin,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd=folder,
            start_new_session=True,
            pass_fds=keep_open,
        )


def end(child: Running, grace_seconds: float = 10.0) -> None:
    """SIGTERM, and SIGKILL for what is left after `grace_seconds`: the child and its descendants. Waits for the end."""
    descendants = _descendants(child)
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    _kill(descendants)


def kill(child: Running) -> None:
    """SIGKILL to the child and its descendants at once, as a crash does it. Waits for the end."""
    descendants = _descendants(child)
    child.kill()
    _kill(descendants)
    child.wait()


def _descendants(child: Running) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(child.pid).children(recursive=True)
    return []


def _kill(processes: Sequence[psutil.Process]) -> None:
    for process in processes:  # psutil compares start times before it sends a signal
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    _wait_for(processes, 5.0)


def _wait_for(processes: Sequence[psutil.Process], timeout_seconds: float) -> list[psutil.Process]:
    """Those that have not ended after that time."""
    deadline = time.monotonic() + timeout_seconds
    while (alive := [process for process in processes if not _has_ended(process)]) and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)
    return alive


def _has_ended(process: psutil.Process) -> bool:
    """A process that nobody has waited for has ended, too, once its last thread has: the orphans of a job are left to
    process 1, and that of a container takes two seconds to look."""
    try:
        if not process.is_running():
            return True
        return process.status() == psutil.STATUS_ZOMBIE and process.num_threads() <= 1
    except psutil.NoSuchProcess:
        return True


def end_all(identities: Iterable[ProcessIdentity], grace_seconds: float = 10.0) -> None:
    """End processes that are not our children, as far as they are still those that were recorded."""
    processes = [process for identity in identities if (process := identity.process()) is not None]
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    _kill(_wait_for(processes, grace_seconds))


def wait_until_ended(identity: ProcessIdentity, timeout_seconds: float) -> bool:
    """Whether the process ended within the time."""
    deadline = time.monotonic() + timeout_seconds
    while identity.process() is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


JAVA_LOCALE = {"LC_ALL": "C.UTF-8"}
"""Java writes names of files by the locale; in plain C every letter beyond ASCII would become a question mark."""


def java() -> str:
    """The Java of JAVA_HOME, else of the path. Raises StackError where there is none."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which(str(Path(home) / "bin" / "java")) if home else shutil.which("java")
    if found is None:
        raise StackError("Java 17 is needed: no `java` on the path" + (f" nor in JAVA_HOME={home}" if home else ""))
    return found
