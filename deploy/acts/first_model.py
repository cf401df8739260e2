"""The model that a task starts from, and whether the task could run with it.

A task that names nothing but what is built in is looked at without torch, whose import takes longer than all else that
creating one does; code of a package, and weights that stay where they are made, need it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from deploy.machine.jars import CHECKOUT
from fluvial.edge.packages import Packages
from fluvial.edge.training.architectures.catalogue import initial_elements, layers_of, layout_of
from fluvial.edge.training.task_data import TaskData
from fluvial.wire.layout import check_same
from fluvial.wire.records import TensorLayout
from fluvial.wire.task_file import TaskFile
from models.evaluation.measurable import check_layers


class FirstModel(Protocol):
    """What a task's file and its package make."""

    @property
    def task_file(self) -> TaskFile:
        """As it is signed: with the digests of its package and of the weights that stay as they were made."""
        ...

    @property
    def layout(self) -> tuple[TensorLayout, ...]:
        """Of what travels."""
        ...

    def elements(self) -> NDArray[np.float32]:
        """float32[D] that the task starts from. Raises ValueError for more than the memory holds, and for
        numbers that are not finite."""
        ...

    def check_fits(self, layout: Sequence[TensorLayout]) -> None:
        """Raises ValueError, saying where, unless what travels has this layout."""
        ...

    def check_measured(self) -> None:
        """Raises ValueError for an evaluation set and terms of acceleration that could not be held to."""
        ...


def first_model(task_file: TaskFile, packages: Packages, first: NDArray[np.float32] | None = None) -> FirstModel:
    """packages: those whose code may run here. first: float32[D] that a task which tunes a model starts from. Raises
    ValueError for a model that cannot be made, PackageError."""
    model = task_file.model
    part_stays = bool(model.train or model.local or model.base_sha256)
    if first is None and task_file.package is None and task_file.acceleration is None and not part_stays:
        return ModelOfLayers(task_file)
    from deploy.acts.model_of_code import ModelOfCode  # brings in torch

    return ModelOfCode(task_file, packages, first)


class ModelOfLayers:
    """A model of a built-in architecture, all of which travels."""

    def __init__(self, task_file: TaskFile) -> None:
        self.task_file = task_file
        self._layers = layers_of(task_file.model.architecture, task_file.model.parameters)
        self.layout = layout_of(self._layers)

    def elements(self) -> NDArray[np.float32]:
        return initial_elements(self._layers, self.task_file.model.seed)

    def check_fits(self, layout: Sequence[TensorLayout]) -> None:
        check_same(self.layout, layout)

    def check_measured(self) -> None:
        check_layers(TaskData(self.task_file, root=CHECKOUT), self._layers)
