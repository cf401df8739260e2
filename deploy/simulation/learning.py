"""What a task's participants train and what its models are measured by: the seam between the simulation and a task's
code, which workers open again in their own process."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deploy.local.jars import CHECKOUT
from deploy.simulation.division import Rows, divided
from fluvial.edge.packages import Examples, Packages
from fluvial.edge.trainer import TrainingRequest
from fluvial.edge.training.participation import train_on
from fluvial.edge.training.task_code import TaskCode
from fluvial.wire.records import TensorLayout
from fluvial.wire.task_file import TaskFile
from models.datasets import load_by_participant
from models.evaluation.inference import Evaluator
from models.evaluation.task import evaluator_of

Vector = NDArray[np.float32]
PARTICIPANTS = "participants.safetensors"
TASK_FILE = "task.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Metrics of a model: overall, and by attribute and group. num_examples: of the evaluation set; of_groups: of each
    group."""

    overall: dict[str, float]
    groups: dict[str, dict[str, dict[str, float]]]
    num_examples: int
    of_groups: dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LearningPlan:
    """What opens a `Learning`, in any process. folder: of the task, with its data."""

    task_file: TaskFile
    folder: Path
    num_participants: int | None
    seed: int

    def open(self) -> Learning:
        return Learning(self)


def plan_of(
    folder: Path,
    *,
    num_participants: int | None = None,
    num_rounds: int | None = None,
    target: int | None = None,
    seed: int = 0,
) -> LearningPlan:
    """The task in a folder, for so many participants and rounds instead of its own.

    Quorum and target grow with the participants, so that a round takes the same share of them; the quorum is never
    above the target. Raises ValueError for a file or data that are not there or cannot be used.
    """
    task_file = TaskFile.read(folder / TASK_FILE)
    _, groups = load_by_participant(folder / PARTICIPANTS)
    share = 1.0 if num_participants is None else num_participants / len(groups)
    target = max(1, round(task_file.target * share)) if target is None else target
    quorum = min(target, max(1, round(task_file.quorum * share)))
    changes = {"target": target, "quorum": quorum, **({} if num_rounds is None else {"rounds": num_rounds})}
    changed = TaskFile.model_validate({**task_file.model_dump(mode="json"), **changes})
    return LearningPlan(task_file=changed, folder=folder, num_participants=num_participants, seed=seed)


class Learning:
    """Participants, numbered from 0, and the evaluation set. packages: the folder's own.

    Raises ValueError for data that is not there or does not fit the task.
    """

    def __init__(self, plan: LearningPlan) -> None:
        self._examples, groups = load_by_participant(plan.folder / PARTICIPANTS)
        self._rows: list[Rows] = divided(groups, plan.num_participants or len(groups), plan.seed)
        self.packages = Packages([plan.folder] if plan.task_file.package else [])
        self._code = TaskCode.of(plan.task_file, self.packages, CHECKOUT)
        self._state = self._code.state()
        self._initial = self._state.flatten()

    @property
    def num_participants(self) -> int:
        return len(self._rows)

    @property
    def layout(self) -> tuple[TensorLayout, ...]:
        return self._state.layout

    def initial(self) -> Vector:
        """float32[D] of version 0."""
        return self._initial

    def num_examples(self, participant: int) -> int:
        return len(self._rows[participant])

    def train(self, participant: int, request: TrainingRequest) -> tuple[Vector, int] | None:
        """(delta float32[D], number of examples), as `fluvial participate` trains; None sits out. Raises ValueError,
        TrainingFailed."""
        rows = self._rows[participant]
        examples = Examples(inputs=self._examples.inputs[rows], targets=self._examples.targets[rows])
        return train_on(request, self._code, self._state, examples)

    def measure_bytes(self, model: bytes) -> Measured | None:
        """As `measure`, of the model as its chunks hold it."""
        return self.measure(np.frombuffer(model, "<f4"))

    def measure(self, model: Vector) -> Measured | None:
        """Metrics of a model float32[D]; None for a task without an evaluation set. A metric that a group does not
        define (it has one class alone) is left out of it. Raises ValueError where the whole does not."""
        evaluator = self._evaluator
        if evaluator is None:
            return None
        found = evaluator.measure_with_groups(model)
        groups: dict[str, dict[str, dict[str, float]]] = {}
        sizes: dict[str, dict[str, int]] = {}
        for group in found.groups:
            groups.setdefault(group.attribute, {})[group.group] = dict(group.metrics)
            sizes.setdefault(group.attribute, {})[group.group] = group.num_examples
        overall = dict(found.metrics)
        return Measured(overall=overall, groups=groups, num_examples=evaluator.num_examples, of_groups=sizes)

    @cached_property
    def _evaluator(self) -> Evaluator | None:
        return evaluator_of(self._code, "cpu")
