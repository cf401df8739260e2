"""Which submissions to the session cluster are under way: a lock for each job's name in the data directory.

A submission takes its stages before the cluster knows the job. Where it is cut short in between, nothing but the end of
its process tells that no job will come.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from deploy.federation.directory import DataDirectory
from deploy.machine.errors import StackError


@contextmanager
def submitting(directory: DataDirectory, name: str) -> Iterator[bool]:
    """Submit the job of this name; whether that was done before, from this data directory.

    Raises StackError while another process does."""
    file = _file(directory, name)
    file.parent.mkdir(parents=True, exist_ok=True)
    before = file.exists()
    with file.open("a") as lock:
        if not _locked(lock):
            raise StackError(f"the job {name} is being submitted by another command: wait until it is done")
        yield before


def was_cut_short(directory: DataDirectory, name: str) -> bool:
    """Whether a job of this name was submitted from this data directory, and nobody is about it any more."""
    try:
        with _file(directory, name).open() as lock:
            return _locked(lock)
    except FileNotFoundError:
        return False


def _file(directory: DataDirectory, name: str) -> Path:
    return directory.jobs / f"{name}.submitting"


def _locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
