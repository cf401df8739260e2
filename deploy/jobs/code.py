"""The code of a job on the session cluster: the checkout's packages as they were when it was submitted.

A TaskManager keeps its interpreter for its life, and imports some modules only when it needs them. What it imports from
must therefore outlive the job: Flink deletes a job's own files with the job, and the next job of the same code, in the
same interpreter, would look for modules that are gone. So the copy lies in the data directory, named by its digest: no
submission changes it, and jobs of the same code share it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

PACKAGES = ("fluvial", "models", "governance", "pipelines")
"""What a job needs of the checkout."""

_UNNAMED_SECONDS = 3600.0
"""For so long a copy stays that no job's settings name: a submission makes the copy before the settings."""


@dataclass(frozen=True, slots=True)
class JobCode:
    """digest: hexadecimal, of the sources alone. folder: what an interpreter imports from."""

    digest: str
    folder: Path


def keep_code(checkout: Path, copies: Path) -> JobCode:
    """Copy the checkout's packages into a folder of `copies`, bytecode too, where it is there: without it a TaskManager
    compiles all that it imports. The digest is of what was copied, whatever happens to the checkout meanwhile."""
    copies.mkdir(parents=True, exist_ok=True)
    copy = Path(mkdtemp(dir=copies, prefix="."))
    try:
        for package in PACKAGES:
            shutil.copytree(checkout / package, copy / package)
        digest = _digest(copy)
        folder = copies / digest
        try:
            copy.rename(folder)
        except OSError:  # it is there already
            if not folder.is_dir():
                raise
            os.utime(folder)
    finally:
        shutil.rmtree(copy, ignore_errors=True)
    return JobCode(digest, folder)


def forget_code(copies: Path, jobs: Path) -> None:
    """Remove the copies that no job's settings in the folder `jobs` name any more."""
    named = "\n".join(settings.read_text() for settings in jobs.glob("*.json"))
    before = time.time() - _UNNAMED_SECONDS
    for copy in copies.iterdir():
        if copy.name not in named and copy.stat().st_mtime < before:
            shutil.rmtree(copy, ignore_errors=True)


def _sources(folder: Path) -> list[Path]:
    return sorted(file for package in PACKAGES for file in (folder / package).rglob("*.py"))


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for source in _sources(folder):
        code = source.read_bytes()
        digest.update(f"{source.relative_to(folder).as_posix()} {len(code)}\n".encode() + code)
    return digest.hexdigest()
