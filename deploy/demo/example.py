"""The example federations that the demonstration can run, and the names of their groups of data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from deploy.local.jars import CHECKOUT
from fluvial.wire.task_file import TaskFile

NAMES: dict[str, tuple[str, ...]] = {
    "digits": tuple(f"writers-{number:02}" for number in range(20)),
    "credit": ("bank-1", "bank-2", "bank-3", "bank-4", "bank-5", "bank-6"),
    "heart": ("cleveland", "hungarian", "switzerland", "va"),
}
"""By task, a name for each group of its data, in the order of the groups' numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """data: the participants' examples. names: of the groups in it. packages: folders whose code the task runs."""

    task_file: TaskFile
    data: Path
    names: tuple[str, ...]
    packages: tuple[Path, ...] = ()


def example(task: str) -> Example:
    """The example of that name. Raises ValueError when there is none."""
    if task not in NAMES:
        raise ValueError(f"there is no example task {task!r}; there are {', '.join(sorted(NAMES))}")
    folder = CHECKOUT / "deploy" / "tasks" / task
    task_file = TaskFile.read(folder / "task.yaml")
    of_package = task_file.package is not None
    return Example(
        task_file=task_file,
        data=folder / "data" if of_package else folder / "participants.safetensors",
        names=NAMES[task],
        packages=(folder,) if of_package else (),
    )
