"""A task's file, as its operator signed it, and what follows from it: the initial model, the evaluation set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from fluvial.edge.manifests import read_manifests
from fluvial.edge.models import load_model
from fluvial.edge.packages import Packages
from fluvial.edge.packages.allowed import NO_PACKAGES
from fluvial.edge.registry import Registry
from fluvial.identity.federation import Federation
from fluvial.kafka import Transport
from fluvial.wire.errors import ChunkUnavailable
from fluvial.wire.records import ModelManifest
from fluvial.wire.task_file import TaskFile
from fluvial.wire.tuning import TuningSpec
from pipelines.replay.counterfactual import Metrics


def read_task_file(transport: Transport, federation: Federation, name: str) -> TaskFile | None:
    """The task in the registry; None where it is not."""
    registry = Registry(transport, federation)
    try:
        registry.refresh()
        task = registry.task(name)
    finally:
        registry.close()
    return None if task is None else TaskFile.model_validate_json(task.specification)


def initial_model(
    transport: Transport, federation: Federation, manifest: ModelManifest, *, packages: Packages = NO_PACKAGES
) -> npt.NDArray[np.float32]:
    """Version 0, float32[D], from its task's code and seed, for a log that no longer holds its chunks; of a task that
    tunes a pruned model from that model.

    packages: those whose code may run here. Needs torch. Raises ChunkUnavailable if it cannot be made.
    """
    task_file = read_task_file(transport, federation, manifest.task)
    if task_file is None:
        raise ChunkUnavailable(f"version 0 of {manifest.task} is gone, and the registry does not have the task")
    from fluvial.edge.training.task_code import TaskCode

    try:
        if task_file.tunes is not None:
            return _pruned_again(transport, federation, task_file.tunes, packages)
        return TaskCode.of(task_file, packages).initial()
    except ValueError as error:
        raise ChunkUnavailable(f"version 0 of {manifest.task} is gone and cannot be made again: {error}") from error


def _pruned_again(
    transport: Transport, federation: Federation, tunes: TuningSpec, packages: Packages
) -> npt.NDArray[np.float32]:
    from fluvial.edge.training.task_code import TaskCode
    from models.acceleration.pruning import pruned_model

    parent = read_task_file(transport, federation, tunes.task)
    for found in read_manifests(transport, federation):
        if (found.task, found.version, found.model_digest.hex()) == (tunes.task, tunes.version, tunes.model_digest):
            if parent is None:
                break
            topic = federation.topics.model_blobs
            model = load_model(transport, topic, found.chunks, found.model_digest, found.num_elements)
            return pruned_model(TaskCode.of(parent, packages), model, tunes.fraction)
    raise ChunkUnavailable(f"the log has no version {tunes.version} of {tunes.task} that was pruned")


def metrics_of(task_file: TaskFile, repository_root: Path, packages: Packages = NO_PACKAGES) -> Metrics | None:
    """What measures models of the task on its evaluation set; None for a task without one.

    packages: those whose code may run here. Needs torch. Raises ValueError where the data is not there, or not what it
    should be.
    """
    if task_file.evaluation is None:
        return None
    from fluvial.edge.training.task_code import TaskCode
    from models.evaluation.task import evaluator_of

    evaluator = evaluator_of(TaskCode.of(task_file, packages, repository_root))
    return None if evaluator is None else evaluator.measure
