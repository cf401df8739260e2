"""The first model of a task that has code of its own, or of which a part stays where it is made: made by torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from deploy.machine.jars import CHECKOUT
from fluvial.edge.packages import Packages, pinned
from fluvial.edge.training.module_state import ModuleState
from fluvial.edge.training.task_code import TaskCode
from fluvial.wire.records import TensorLayout
from fluvial.wire.task_file import TaskFile
from models.evaluation.task import evaluator_of


class ModelOfCode:
    """See `deploy.acts.first_model.FirstModel`."""

    def __init__(self, task_file: TaskFile, packages: Packages, first: NDArray[np.float32] | None = None) -> None:
        """first: float32[D] in place of what the code makes. Raises as `first_model`."""
        self._code = TaskCode.of(task_file, packages, CHECKOUT)
        self._state = self._code.state()
        if first is not None:
            self._state.load(first)
        self.task_file = signed_form(self._code, self._state)

    @property
    def layout(self) -> tuple[TensorLayout, ...]:
        return self._state.layout

    def elements(self) -> NDArray[np.float32]:
        return self._state.initial()

    def check_fits(self, layout: Sequence[TensorLayout]) -> None:
        self._state.check_fits(layout)

    def check_measured(self) -> None:
        evaluator_of(self._code, "cpu")
        if self._code.task_file.acceleration is not None:
            from models.acceleration.terms import check_terms  # brings in what variants are built with

            check_terms(self._code, self._code.task_file.acceleration)


def signed_form(code: TaskCode, state: ModuleState) -> TaskFile:
    """The task's file with what it pins: its package's digest and that of the weights that stay as they were made.
    Raises ValueError for a file that pins others already."""
    task_file = pinned(code.task_file, code.package)
    if not (task_file.model.train or state.has_frozen_parameters):
        return task_file
    model = task_file.model.model_copy(update={"base_sha256": state.fixed_digest()})
    return task_file.model_copy(update={"model": model})
