"""Writes the archives of Java classes: `python -m deploy.local.write_class_archives`, a step of `make setup`.

Each of our Java programs is started once, does its work, and writes at its end what it had loaded.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import psutil

from deploy.jobs.submission import LocalJob, Submission, submit_to_session
from deploy.local.stack import Stack
from deploy.machine.class_archives import FOLDER, PROGRAMS, WRITING
from deploy.machine.errors import StackError
from fluvial.cli.interruption import interruptible

STAGES = ("validation", "aggregation", "evaluation", "audit")
_ENDING_SECONDS = 60.0


def write() -> list[Path]:
    """Start a stack with a job on its cluster and one beside it, end them, and put their archives in place.

    Returns the archives. Raises StackError when something does not start, or does not end in time; then nothing is left
    of what was written.
    """
    new = FOLDER.with_name(f"{FOLDER.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    try:
        _start_and_end(new)
        if missing := [name for name in PROGRAMS if not (new / f"{name}.jsa").exists()]:
            raise StackError(f"no archive was written by: {', '.join(missing)}")
        shutil.rmtree(FOLDER, ignore_errors=True)
        new.rename(FOLDER)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return sorted(FOLDER.glob("*.jsa"))


def _start_and_end(new: Path) -> None:
    os.environ[WRITING] = str(new)
    submission = Submission(stages=STAGES, name="classes")
    with tempfile.TemporaryDirectory(prefix="fluvial-classes-") as folder, interruptible():
        with Stack(Path(folder) / "session", task_managers=1, watch=False) as stack:
            submit_to_session(stack.directory, submission)
        # In a folder of its own: what a broker loads to format one belongs into its archive, which it writes again.
        with Stack(Path(folder) / "local", watch=False) as stack, LocalJob(stack.directory, submission) as job:
            job.wait_until_running()
            end_its_java(job.pid)


def end_its_java(pid: int | None, seconds: float = _ENDING_SECONDS) -> None:
    """End the Java below a local job by itself: it is killed when its Python ends, and would write nothing. Raises
    StackError when it has not written and ended after so many seconds."""
    assert pid is not None
    for child in psutil.Process(pid).children(recursive=True):
        if "java" in child.name():
            child.send_signal(signal.SIGTERM)
            try:
                child.wait(seconds)
            except psutil.TimeoutExpired as error:
                raise StackError(f"Java {child.pid} has not written its archive after {seconds:g} s") from error


if __name__ == "__main__":
    try:
        print(*(path.name for path in write()))
    except StackError as error:
        sys.exit(f"error: {error}")
