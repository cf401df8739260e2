"""What rounds of fine-tuning start from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fluvial.edge.training.module_state import ModuleState
from fluvial.edge.training.narrowing import narrowed
from fluvial.edge.training.task_code import TaskCode


def pruned_model(code: TaskCode, model: NDArray[np.float32], fraction: float) -> NDArray[np.float32]:
    """float32[D'], what pruning leaves of a task's model, float32[D]. Raises ValueError for one that cannot be pruned,
    or does not travel whole."""
    state = code.state()
    if state.has_frozen_parameters:
        raise ValueError(f"parts of the models of {code.task_file.task} do not travel: those are not tuned")
    state.load(model)
    return ModuleState(narrowed(state.module, fraction)).flatten()
