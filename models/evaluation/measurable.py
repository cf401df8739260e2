"""Whether what a model predicts can be measured on an evaluation set, which does not depend on its weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fluvial.edge.metrics import measure
from fluvial.edge.metrics.measure import Metric
from fluvial.edge.packages.examples import Examples
from fluvial.edge.training.architectures.layers import Layer, shape_after
from fluvial.edge.training.task_data import TaskData
from fluvial.wire.task_file import TaskFile

MAX_GROUPS = 256
"""Groups of an evaluation set: their measurements stand in the log for each version."""


def check_groups(examples: Examples) -> None:
    """Raises ValueError for a set that tells too many groups apart."""
    num_groups = sum(len(names) for _, names in examples.groups.values())
    if num_groups > MAX_GROUPS:
        raise ValueError(f"the evaluation set tells {num_groups} groups apart, more than {MAX_GROUPS}")


def check_predicted(
    examples: Examples,
    row: tuple[int, ...],
    metrics: Sequence[str],
    *,
    loss: str | Metric,
    own: Mapping[str, Metric] | None = None,
    dtype: Any = np.float32,
) -> None:
    """row: shape of what is predicted of one example. loss, own: see `measure`. Raises ValueError for classes and
    shapes that the metrics cannot use."""
    measure(np.zeros((len(examples), *row), dtype), examples.targets, metrics, loss=loss, own=own)


def check_layers(data: TaskData, layers: tuple[Layer, ...]) -> None:
    """Raises ValueError where the task's evaluation set, if it has one, is not there, or fits neither the architecture
    nor the metrics. For a task that has no code of its own."""
    wanted, examples = data.task_file.evaluation, data.evaluation_examples()
    if wanted is None or examples is None:
        return
    try:
        check_groups(examples)
        (inputs,) = examples.arrays().values()  # a data file has one
        try:
            row = shape_after(layers, inputs.shape[1:])
        except ValueError as error:
            raise ValueError(f"{examples.described()} do not fit the module: {error}") from error
        check_predicted(examples, row, wanted.metrics, loss=data.task_file.loss)
    except ValueError as error:
        raise unusable(data.task_file, error) from error


def unusable(task_file: TaskFile, error: ValueError) -> ValueError:
    """The error, for who wrote the task's file."""
    wanted = task_file.evaluation
    named = (wanted.data if wanted else "") or f"of {task_file.data.evaluation}"
    return ValueError(f"the evaluation set {named} cannot be used: {error}")
