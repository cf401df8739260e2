"""What a simulated federation learns with: data, participants, trainer, and how good a model is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fluvial.edge.packages import Examples
from fluvial.edge.training.architectures import build, initial_state
from fluvial.edge.training.config import TrainingConfig
from fluvial.edge.training.data_files import Dataset
from fluvial.edge.training.module_state import ModuleState
from models.evaluation.inference import Evaluator
from tests.benchmarks.simulation.cohort import Cohort, Matrix
from tests.benchmarks.simulation.splits import Rows

Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A model's accuracy. time: simulated, 0 where there is none. updates: aggregated so far."""

    version: int
    updates: int
    time: float
    accuracy: float


class Learning:
    """Participants with their rows of a pool, and the evaluation set. Seeds of trainings follow from one seed."""

    def __init__(
        self,
        *,
        parameters: dict[str, Any],
        pool: Dataset,
        evaluation: Dataset,
        split: Sequence[Rows],
        training: TrainingConfig,
        seed: int,
    ) -> None:
        """parameters: of the architecture `convolutional`. split: each participant's rows of the pool."""
        self._parameters, self._split, self._training, self._seed = parameters, split, training, seed
        self._cohort = Cohort("convolutional", parameters, pool)
        self._evaluator = Evaluator(
            ModuleState(build("convolutional", parameters)), Examples.of(evaluation), ["accuracy"], device="cpu"
        )

    @property
    def num_participants(self) -> int:
        """Participants, numbered from 0."""
        return len(self._split)

    def initial(self) -> Vector:
        """float32[D] of version 0."""
        return initial_state("convolutional", self._parameters, self._seed)

    def train(self, bases: Matrix, participants: Sequence[int], versions: Sequence[int]) -> Matrix:
        """Deltas float32[P, D] from float32[D], or from each participant's own base, float32[P, D].

        versions: of the bases; with the participant's number they fix the order of its examples.
        """
        seeds = [
            int(np.random.default_rng([self._seed, participant, version]).integers(2**31))
            for participant, version in zip(participants, versions, strict=True)
        ]
        return self._cohort.train(bases, [self._split[one] for one in participants], seeds, self._training)

    def weights(self, participants: Sequence[int]) -> list[int]:
        """Each participant's number of examples: what it claims as its weight."""
        return [len(self._split[one]) for one in participants]

    @property
    def max_weight(self) -> int:
        """The largest weight of all participants."""
        return max(map(len, self._split))

    def accuracy(self, model: Vector) -> float:
        """On the evaluation set."""
        return self._evaluator.measure(model)["accuracy"]
