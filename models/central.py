"""The centrally trained baseline: what the same examples give when one place holds them all."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fluvial.edge.errors import TrainingFailed
from fluvial.edge.packages.examples import Examples
from fluvial.edge.training.task_code import TaskCode


def train_centrally(
    code: TaskCode, examples: Examples, training: Mapping[str, Any], *, num_rounds: int, seed: int
) -> NDArray[np.float32]:
    """Model float32[D] after as many passes over the pooled examples as a participant makes over its own in all rounds,
    from the task's initial model.

    training: the participants'. Raises ValueError and TrainingFailed as `TaskCode.train` does.
    """
    state = code.state()
    epochs = int(training.get("epochs", 1)) * num_rounds
    if code.train(state, state.flatten(), examples, {**training, "epochs": epochs}, seed) is None:
        raise TrainingFailed("the task's trainer sits out on the pooled examples")
    return state.flatten()
