"""Version 0 from its task's seed, for a log that no longer holds its chunks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fluvial.edge.registry import Registry
from fluvial.edge.transport import Transport
from fluvial.identity.federation import Federation
from fluvial.wire.errors import ChunkUnavailable
from fluvial.wire.records import ModelManifest
from fluvial.wire.task_file import TaskFile


def initial_model(transport: Transport, federation: Federation, manifest: ModelManifest) -> npt.NDArray[np.float32]:
    """float32[D] of the task that the operator signed. Needs torch. Raises ChunkUnavailable if it cannot be made."""
    registry = Registry(transport, federation)
    try:
        registry.refresh()
        task = registry.task(manifest.task)
    finally:
        registry.close()
    if task is None:
        raise ChunkUnavailable(f"version 0 of {manifest.task} is gone, and the registry does not have the task")
    model = TaskFile.model_validate_json(task.specification).model
    from models.architectures import initial_state

    try:
        return initial_state(model.architecture, model.parameters, model.seed)
    except ValueError as error:
        raise ChunkUnavailable(f"version 0 of {manifest.task} is gone and cannot be made again: {error}") from error
