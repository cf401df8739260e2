"""Verbs that installed projects declare, as entry points of the group `fluvial.commands`.

Their files are read here as PyPA's specification "Entry points" has them: importlib.metadata brings in a reader of
e-mails, of archives and of tables, which takes longer than the work of most commands.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from importlib import import_module
from operator import attrgetter
from typing import Any, NamedTuple

GROUP = "fluvial.commands"


class Declared(NamedTuple):
    """name: of the verb, after a dot where it is one of a group. value: module:name of what it is."""

    name: str
    value: str

    def load(self) -> Any:
        """Raises whatever the import does, AttributeError for what is not in its module."""
        module, _, name = self.value.partition("[")[0].partition(":")
        return attrgetter(name.strip())(import_module(module.strip()))


def installed(folders: Iterable[str] | None = None) -> list[Declared]:
    """What the projects in these folders declare, by default those that Python imports from. Of a project that lies in
    several the first counts, as for an import."""
    found: list[Declared] = []
    seen: set[str] = set()
    for folder in sys.path if folders is None else folders:
        for project, path in _projects(folder or os.curdir):
            if project not in seen:
                seen.add(project)
                found += _declared(path)
    return found


def _projects(folder: str) -> Iterator[tuple[str, str]]:
    """Name and file of each project that declares entry points."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:  # a folder that is not there, or an archive
        return
    for name in names:
        if name.endswith((".dist-info", ".egg-info")):
            # As packages are compared (PEP 503); an .egg-info may be without a version.
            yield (
                re.sub(r"[-_.]+", "-", name.rpartition(".")[0].partition("-")[0]).lower(),
                os.path.join(folder, name, "entry_points.txt"),
            )


def _declared(path: str) -> Iterator[Declared]:
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except (OSError, UnicodeDecodeError):  # most have none
        return
    section = ""
    for line in map(str.strip, lines):
        if line.startswith("["):
            section = line.strip("[]").strip()
        elif section == GROUP and "=" in line and not line.startswith(("#", ";")):
            name, _, value = line.partition("=")
            yield Declared(name.strip(), value.strip())
