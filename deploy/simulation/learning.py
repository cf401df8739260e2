"""What a task's participants train and what its models are measured by: the task's code on divided examples, which
workers open again in their own process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deploy.machine.jars import CHECKOUT
from deploy.simulation.division import Rows, divided
from fluvial.edge.metrics import Measured
from fluvial.edge.packages import Packages, pinned
from fluvial.edge.packages.errors import LoaderFailed
from fluvial.edge.packages.examples import Examples, Inputs, joined
from fluvial.edge.packages.held_out import held_out_rows
from fluvial.edge.trainer import TrainingRequest
from fluvial.edge.training.data_files import load_by_participant
from fluvial.edge.training.participation import train_on
from fluvial.edge.training.task_code import TaskCode
from fluvial.wire.records import TensorLayout
from fluvial.wire.task_file import TaskFile
from models.evaluation.inference import Evaluator
from models.evaluation.task import evaluator_of

Vector = NDArray[np.float32]
PARTICIPANTS = "participants.safetensors"
TASK_FILE = "task.yaml"
DATA = "data"
MOST_PARTICIPANTS = 1000
"""That a loader may tell apart; their examples can be divided further."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LearningPlan:
    """What opens a `Learning`, in any process. folder: of the task. data: where its participants' examples are. The
    folder's code may run here where the task names it as its package."""

    task_file: TaskFile
    folder: Path
    data: Path
    num_participants: int | None = None
    seed: int = 0

    @property
    def packages(self) -> Packages:
        return Packages([self.folder] if self.task_file.package is not None else [])

    def open(self) -> Learning:
        return Learning(self)


def plan_of(
    folder: Path,
    *,
    data: Path | None = None,
    num_participants: int | None = None,
    num_rounds: int | None = None,
    target: int | None = None,
    seed: int = 0,
) -> LearningPlan:
    """The task in a folder, for so many participants and rounds instead of its own.

    data: by default the task's file of participants, or the folder `data` of its package. Quorum and target grow with
    the participants, so that a round takes the same share of them; the quorum is never above the target. Raises
    ValueError for a file or data that are not there or cannot be used.
    """
    task_file = TaskFile.read(folder / TASK_FILE)
    built_in = task_file.data.participant is None
    data = folder / (PARTICIPANTS if built_in else DATA) if data is None else data
    plan = LearningPlan(task_file=task_file, folder=folder, data=data, num_participants=num_participants, seed=seed)
    code = TaskCode.of(task_file, plan.packages, CHECKOUT)
    share = 1.0 if num_participants is None else num_participants / len(_groups(code, data)[1])
    target = max(1, round(task_file.target * share)) if target is None else target
    quorum = min(target, max(1, round(task_file.quorum * share)))
    changes = {"target": target, "quorum": quorum, **({} if num_rounds is None else {"rounds": num_rounds})}
    changed = TaskFile.model_validate({**task_file.model_dump(mode="json"), **changes})
    if not changed.rounds:
        raise ValueError(f"the task {task_file.task} has no rounds: say how many with --rounds")
    return LearningPlan(
        task_file=pinned(changed, code.package),
        folder=folder,
        data=data,
        num_participants=num_participants,
        seed=seed,
    )


class Learning:
    """Participants, numbered from 0, and the evaluation set. Raises ValueError for data that is not there or does not
    fit the task."""

    def __init__(self, plan: LearningPlan) -> None:
        self.packages = plan.packages
        self._code = TaskCode.of(plan.task_file, self.packages, CHECKOUT)
        self._state = self._code.state()
        self._initial = self._state.initial()
        self._personal = self._state.personal() if self._state.has_personal else None
        self._examples, groups, self.loader_ended = _groups(self._code, plan.data)
        """What a package's loader said of the first participant that it has nothing of; "" without a loader."""
        self.num_groups = len(groups)
        self._rows: list[Rows] = divided(groups, plan.num_participants or len(groups), plan.seed)

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
        """(delta float32[D], number of examples), as `fluvial participate` trains; None sits out. Raises ValueError."""
        if self._personal is not None:  # what stays with a participant is not what another has left in the module
            self._state.load_personal(self._personal)
        return train_on(request, self._code, self._state, _of_rows(self._examples, self._rows[participant]))

    def measure(self, model: Vector) -> Measured | None:
        """Metrics of a model float32[D], overall and by group; None for a task without an evaluation set. Raises
        ValueError where they are not defined."""
        return None if self._evaluator is None else self._evaluator.measure_with_groups(model)

    @cached_property
    def _evaluator(self) -> Evaluator | None:
        return evaluator_of(self._code, "cpu")


def _groups(code: TaskCode, data: Path) -> tuple[Examples, list[Rows], str]:
    """All examples, the rows of each participant that the data tells apart (of a package's loader those of index 0, 1,
    and so on, until it raises what says that there is none), and what the loader said then. Raises ValueError for what
    are no examples, and for whatever else the loader raises: those who come after it would be left out."""
    if code.task_file.data.participant is None:
        dataset, groups = load_by_participant(data)
        examples, held_out = Examples.of(dataset, str(data)), code.task_file.held_out
        if held_out.metrics:  # as `TaskCode.participant_examples` leaves out what a participant does not train on
            groups = [rows[~held_out_rows(len(rows), _of(examples.people, rows), held_out.fraction)] for rows in groups]
        return examples, groups, ""
    parts: list[Examples] = []
    ended = ""
    for index in range(MOST_PARTICIPANTS + 1):
        try:
            parts.append(code.participant_examples(data, index))
        except LoaderFailed as error:
            if not parts:
                raise
            if not error.absent:
                raise ValueError(f"of participant {index} {error}") from error
            ended = str(error)
            break
        except ValueError as error:
            raise ValueError(f"of participant {index} {error}") from error
    else:
        raise ValueError(
            f"the loader {code.task_file.data.participant} has examples of more than {MOST_PARTICIPANTS} participants: "
            "it should raise ValueError for an index that it has none of"
        )
    ends = np.cumsum([len(part) for part in parts])
    return joined(parts), [np.arange(end - len(part), end) for part, end in zip(parts, ends, strict=True)], ended


def _of(people: NDArray[np.int64] | None, rows: Rows) -> NDArray[np.int64] | None:
    return None if people is None else people[rows]


def _of_rows(examples: Examples, rows: Rows) -> Examples:
    given = examples.inputs
    inputs: Inputs
    if isinstance(given, Mapping):
        inputs = {name: array[rows] for name, array in given.items()}
    else:
        inputs = tuple(array[rows] for array in given) if isinstance(given, tuple) else given[rows]
    return Examples(inputs=inputs, targets=examples.targets[rows])
