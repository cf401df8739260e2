"""The packages that the operator of a process has allowed, and the one that a task pins."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from fluvial.edge.packages.errors import PackageError
from fluvial.edge.packages.package import TaskPackage
from fluvial.wire.task_file import PackageSpec, TaskFile


class Packages:
    """Folders whose code may run here; nothing else that a task names does. They are read when a task asks first.

    folders: as they were given.
    """

    def __init__(self, folders: Iterable[Path] = ()) -> None:
        self.folders = tuple(folders)
        self._opened: dict[str, TaskPackage] | None = None

    def of(self, task_file: TaskFile) -> TaskPackage | None:
        """The task's package; None for a task without one.

        Raises PackageError where it is not allowed here, or has another digest than the task pins.
        """
        wanted = task_file.package
        if wanted is None:
            return None
        package = self._by_name().get(wanted.name)
        version = f" with digest {wanted.digest}" if wanted.digest else ""
        if package is None:
            raise PackageError(
                f"the task {task_file.task} runs code of the package {wanted.name}{version}, which is not allowed "
                f"here: get it from the task's operator, read it, and allow its folder with --package {wanted.name}"
            )
        if wanted.digest and package.digest != wanted.digest:
            raise PackageError(
                f"the task {task_file.task} pins the package {wanted.name}{version}, but the one here has digest "
                f"{package.digest}: install the version that the task was created with, or undo what was changed in it"
            )
        return package

    def _by_name(self) -> dict[str, TaskPackage]:
        if self._opened is None:
            opened: dict[str, TaskPackage] = {}
            for folder in self.folders:
                package = TaskPackage.open(folder)
                for other in opened.values():
                    if other.module == package.module and other.folder != package.folder:
                        raise PackageError(f"{other.folder} and {package.folder} are both {package.module}: allow one")
                opened[package.name] = package
            self._opened = opened
        return self._opened


NO_PACKAGES = Packages()
"""Nothing is allowed: tasks without a package alone."""


def pinned(task_file: TaskFile, package: TaskPackage | None) -> TaskFile:
    """The task with its package's digest, as it is signed. Raises PackageError where the two do not belong together."""
    wanted = task_file.package
    if (wanted.name if wanted else None) != (package.name if package else None):
        raise PackageError(
            f"the task {task_file.task} and the package {package.name if package else '(none)'} do not belong together"
        )
    if wanted is None or package is None:
        return task_file
    return task_file.model_copy(update={"package": PackageSpec(name=package.name, digest=package.digest)})
