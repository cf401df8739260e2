"""The published model that a command line means."""

from __future__ import annotations

from typing import Annotated

import typer

from fluvial.cli.common import fail
from fluvial.wire.records import ModelManifest

TaskArgument = Annotated[str, typer.Argument(help="The task.")]
VersionArgument = Annotated[int | None, typer.Argument(min=0, help="The version; the newest without it.")]


def of_task(manifests: list[ModelManifest], task: str) -> list[ModelManifest]:
    """The task's manifests; ends the command where there is none: a task has a model from its creation on."""
    found = [manifest for manifest in manifests if manifest.task == task]
    if not found:
        fail(f"there is no model of the task {task}", "`fluvial model list` shows what there is.")
    return found


def find(manifests: list[ModelManifest], task: str, version: int | None) -> ModelManifest:
    """The task's manifest of that version, the newest without one; ends the command where there is none."""
    found = of_task(manifests, task)
    if version is None:
        return found[-1]
    matching = [manifest for manifest in found if manifest.version == version]
    if not matching:
        fail(f"{task} has no version {version}", f"It has {found[0].version} to {found[-1].version}.")
    return matching[0]
