"""What a task's participants train and what its models are measured by: the seam between the simulation and a task's
code, which workers open again in their own process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deploy.local.jars import CHECKOUT
from deploy.simulation.division import Rows, divided
from fluvial.edge.trainer import TrainingRequest
from fluvial.edge.training.flat import layout_of, unflatten
from fluvial.wire.records import TensorLayout
from fluvial.wire.task_file import TaskFile
from models.architectures import build, initial_state
from models.datasets import Dataset, GroupedDataset, load_by_participant, load_grouped
from models.evaluation.inference import predict
from models.evaluation.metrics import measure
from models.participation import train_on

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
    """Participants, numbered from 0, and the evaluation set. Raises ValueError for data that is not there or does not
    fit the task."""

    def __init__(self, plan: LearningPlan) -> None:
        self._task_file = plan.task_file
        self._examples, groups = load_by_participant(plan.folder / PARTICIPANTS)
        self._rows: list[Rows] = divided(groups, plan.num_participants or len(groups), plan.seed)
        model = plan.task_file.model
        self._module = build(model.architecture, model.parameters)

    @property
    def num_participants(self) -> int:
        return len(self._rows)

    @property
    def layout(self) -> tuple[TensorLayout, ...]:
        return layout_of(self._module)

    def initial(self) -> Vector:
        """float32[D] of version 0."""
        model = self._task_file.model
        return initial_state(model.architecture, model.parameters, model.seed)

    def num_examples(self, participant: int) -> int:
        return len(self._rows[participant])

    def train(self, participant: int, request: TrainingRequest) -> tuple[Vector, int]:
        """(delta float32[D], number of examples), as `fluvial participate` trains. Raises ValueError."""
        rows = self._rows[participant]
        examples = Dataset(inputs=self._examples.inputs[rows], targets=self._examples.targets[rows])
        return train_on(request, self._module, examples)

    def measure_bytes(self, model: bytes) -> Measured | None:
        """As `measure`, of the model as its chunks hold it."""
        return self.measure(np.frombuffer(model, "<f4"))

    def measure(self, model: Vector) -> Measured | None:
        """Metrics of a model float32[D]; None for a task without an evaluation set. A metric that a group does not
        define (it has one class alone) is left out of it. Raises ValueError where the whole does not."""
        wanted, data = self._task_file.evaluation, self._evaluation
        if wanted is None or data is None:
            return None
        unflatten(self._module, model)
        logits = predict(self._module, data.inputs, batch_size=wanted.batch_size)
        groups: dict[str, dict[str, dict[str, float]]] = {}
        sizes: dict[str, dict[str, int]] = {}
        for attribute, (members, names) in data.groups.items():
            chosen = {name: np.flatnonzero(members == number) for number, name in enumerate(names)}
            sizes[attribute] = {name: len(rows) for name, rows in chosen.items() if len(rows)}
            groups[attribute] = {
                name: _defined(logits[chosen[name]], data.targets[chosen[name]], wanted.metrics)
                for name in sizes[attribute]
            }
        overall = measure(logits, data.targets, wanted.metrics)
        return Measured(overall=overall, groups=groups, num_examples=len(data), of_groups=sizes)

    @cached_property
    def _evaluation(self) -> GroupedDataset | None:
        wanted = self._task_file.evaluation
        return None if wanted is None else load_grouped(CHECKOUT / wanted.data, wanted.data)


def _defined(logits: NDArray[np.float32], targets: NDArray[np.int64], names: Sequence[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name in names:
        try:
            found |= measure(logits, targets, [name])
        except ValueError:
            continue
    return found
