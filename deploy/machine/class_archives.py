"""Class-data sharing: archives of the classes that our Java programs load, from which they start in less time.

`make setup` writes them (`deploy.local.write_class_archives`). An archive is of one Java and of jars as they are; a JVM
that finds another of either starts without it, as it does where there is no archive.

Source: JEP 350, dynamic CDS archives.
"""

from __future__ import annotations

import os
from pathlib import Path

from deploy.machine.jars import CHECKOUT

FOLDER = CHECKOUT / "build" / "classes"
WRITING = "FLUVIAL_WRITE_CLASS_ARCHIVES"
"""Names the folder into which programs write their archives at their end; set where archives are made."""

PROGRAMS = ("broker", "client", "job-manager", "local-job", "task-manager")
_WRITE_SECONDS = 120.0
_QUIET = "-Xlog:cds*=off"


def options(program: str) -> list[str]:
    """Options of a JVM that runs `program`: the archive that it starts from, or is to write. None of them holds a
    space: PyFlink takes a JVM's options as one text."""
    if any(letter.isspace() or letter == os.pathsep for letter in str(FOLDER)):
        return []
    if folder := os.environ.get(WRITING):
        return [f"-XX:ArchiveClassesAtExit={Path(folder) / program}.jsa", _QUIET]
    archive = FOLDER / f"{program}.jsa"
    return [f"-XX:SharedArchiveFile={archive}", "-Xshare:auto", _QUIET] if archive.exists() else []


def grace_seconds(usual: float) -> float:
    """How long a JVM that is to end may take: longer than usual where it writes its archive meanwhile."""
    return _WRITE_SECONDS if os.environ.get(WRITING) else usual
