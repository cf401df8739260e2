"""What a client of another system calls: a task's own training, on the examples that `fluvial simulate` gives it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deploy.machine.jars import CHECKOUT
from deploy.simulation.division import divided
from deploy.simulation.learning import PARTICIPANTS, TASK_FILE
from fluvial.edge.packages.examples import Examples
from fluvial.edge.training.data_files import load_by_participant
from fluvial.edge.training.task_code import TaskCode
from fluvial.wire.task_file import TaskFile
from models.evaluation.task import evaluator_of

Vector = NDArray[np.float32]


class TaskTraining:
    """A built-in task among so many participants."""

    def __init__(self, folder: Path, num_participants: int, seed: int) -> None:
        task_file = TaskFile.read(folder / TASK_FILE)
        self._code = TaskCode.of(task_file, root=CHECKOUT)
        self._training = task_file.training.model_dump()
        self._state = self._code.state()
        dataset, groups = load_by_participant(folder / PARTICIPANTS)
        self._examples = [
            Examples(inputs=dataset.inputs[rows], targets=dataset.targets[rows])
            for rows in divided(groups, num_participants, seed)
        ]
        self._evaluator = evaluator_of(self._code, "cpu")

    def initial(self) -> Vector:
        """float32[D] that the task starts from."""
        return self._code.initial()

    def train(self, number: int, base: Vector, round_number: int) -> tuple[Vector, int]:
        """(delta float32[D], number of examples)."""
        trained = self._code.train(
            self._state, base, self._examples[number], self._training, 1000 * number + round_number
        )
        assert trained is not None
        return trained

    def accuracy(self, model: Vector) -> float:
        """On the evaluation set."""
        assert self._evaluator is not None
        return self._evaluator.measure(model)["accuracy"]
