"""One federation under attack: ten honest participants and some Byzantine ones learn to read digits.

Participants are those of the task `digits`. The split `writers` gives each one of that task's participants (four
writers each, of two populations); `chance` deals the same images out at random; `dirichlet` deals them out with label
shares of concentration 0.5. Byzantine participants know all honest updates of the round; those who flip labels train
on examples of their own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fluvial.edge.packages import Examples
from fluvial.edge.training.architectures import build, initial_state
from fluvial.edge.training.config import TrainingConfig
from fluvial.edge.training.data_files import Dataset, load_evaluation, load_participant
from fluvial.edge.training.module_state import ModuleState
from models.aggregation.rule import parse_rule
from models.attacks import (
    ALittleIsEnough,
    Attack,
    GaussianNoise,
    InnerProductManipulation,
    MinMax,
    SignFlip,
    flip_labels,
)
from models.evaluation.inference import Evaluator
from tests.benchmarks.simulation.cohort import Cohort
from tests.benchmarks.simulation.server import Server, applied
from tests.benchmarks.simulation.splits import Rows, by_chance, by_dirichlet

DATA = Path("deploy/tasks/digits")
NUM_HONEST = 10
LARGEST_NUM_BYZANTINE = 4
CLASSES = 10
SPLITS = ("chance", "writers", "dirichlet")
CONCENTRATION = 0.5
ROOT = "root"
ROOT_EVERY = 20
"""Every so many examples of the evaluation set are the root set of FLTrust (109); the others are tested on."""

CRAFTED: Mapping[str, Attack] = {
    "sign flip": SignFlip(),
    "inner product 0.1": InnerProductManipulation(factor=0.1),
    "inner product 100": InnerProductManipulation(factor=100.0),
    "a little is enough": ALittleIsEnough(),
    "a little, z 1.5": ALittleIsEnough(deviations=1.5),
    "min-max": MinMax(),
    "Gaussian noise": GaussianNoise(deviation=1.0),
}
NO_ATTACK, LABEL_FLIP = "none", "label flip"
ATTACKS = (NO_ATTACK, *CRAFTED, LABEL_FLIP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What all cells of a table share.

    channels, hidden: of the architecture `convolutional`; by default the network of the task digits. max_norm: of the
    clipping rules. centering_radius: of centered clipping.
    """

    rounds: int = 8
    epochs: int = 1
    batch_size: int = 25
    learning_rate: float = 0.1
    momentum: float = 0.9
    channels: int = 8
    hidden: int = 48
    max_norm: float = 3.0
    centering_radius: float = 2.0

    @property
    def training(self) -> TrainingConfig:
        """The participants' training in a round."""
        return TrainingConfig(
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            momentum=self.momentum,
        )

    @property
    def architecture(self) -> dict[str, Any]:
        """Parameters of the architecture."""
        size = {"image_size": 28, "classes": CLASSES, "channels": self.channels, "hidden": self.hidden}
        return size | {"mean": 0.13, "deviation": 0.31}


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Cell:
    """One federation: num_byzantine of NUM_HONEST + num_byzantine participants attack."""

    split: str
    rule: str
    attack: str
    num_byzantine: int
    seed: int = 0


def rules(num_byzantine: int, conditions: Conditions) -> dict[str, dict[str, Any]]:
    """The rules as a task file writes them, told the true number of attackers; without those that refuse so many."""
    known = {"num_byzantine": num_byzantine}
    trimmed = {"name": "trimmed_mean", **known}
    mixed = {"name": "nearest_neighbour_mixing", **known}
    options: dict[str, dict[str, Any]] = {
        "mean": {"name": "unweighted_mean"},
        "clipped mean": {
            "name": "clipped",
            "max_norm": conditions.max_norm,
            "rule": {"name": "unweighted_mean"},
        },
        "median": {"name": "median"},
        "trimmed mean": trimmed,
        "Krum": {"name": "krum", **known},
        "multi-Krum": {"name": "multi_krum", **known},
        "Bulyan": {"name": "bulyan", **known},
        "geometric median": {"name": "geometric_median"},
        "centered clipping": {"name": "centered_clipping", "radius": conditions.centering_radius},
        "FLTrust": {"name": "fltrust", "root_participant": ROOT},
        "mixing, trimmed mean": {**mixed, "rule": trimmed},
        "mixing, geometric median": {**mixed, "rule": {"name": "geometric_median"}},
        "clipped, mixing, trimmed mean": {
            "name": "clipped",
            "max_norm": conditions.max_norm,
            "rule": {**mixed, "rule": trimmed},
        },
    }
    return {name: rule for name, rule in options.items() if name != "Bulyan" or 3 * num_byzantine + 3 <= NUM_HONEST}


class Study:
    """Runs cells under the same conditions; holds the data and the vectorised trainer."""

    def __init__(self, conditions: Conditions) -> None:
        """Raises ValueError if the task's data are not there."""
        num_participants = NUM_HONEST + LARGEST_NUM_BYZANTINE
        task = [load_participant(DATA / "participants.safetensors", number) for number in _members(num_participants)]
        evaluation = load_evaluation(DATA / "evaluation.safetensors")
        root = Dataset(inputs=evaluation.inputs[::ROOT_EVERY], targets=evaluation.targets[::ROOT_EVERY])
        tested = np.arange(len(evaluation)) % ROOT_EVERY != 0
        self.conditions = conditions
        self._pool = _joined([*task, root])
        self._num_examples = sum(map(len, task))
        self._sizes = [len(member) for member in task]
        self._cohort = Cohort("convolutional", conditions.architecture, self._pool)
        self._evaluator = Evaluator(
            ModuleState(build("convolutional", conditions.architecture)),
            Examples(inputs=evaluation.inputs[tested], targets=evaluation.targets[tested]),
            ["accuracy"],
            device="cpu",
        )

    def split(self, name: str, seed: int) -> list[Rows]:
        """Rows of the pool of each participant, honest ones first, and of the root as the last."""
        num_participants, targets = len(self._sizes), self._pool.targets[: self._num_examples]
        root = np.arange(self._num_examples, len(self._pool))
        if name == "writers":
            ends = np.cumsum(self._sizes)
            return [np.arange(end - size, end) for end, size in zip(ends, self._sizes, strict=True)] + [root]
        if name == "chance":
            return [*by_chance(self._num_examples, num_participants, seed), root]
        if name == "dirichlet":
            return [*by_dirichlet(targets, num_participants, CONCENTRATION, seed), root]
        raise ValueError(f"unknown split {name!r}; known: {', '.join(SPLITS)}")

    def run(self, cell: Cell) -> float:
        """Accuracy of the last round's model."""
        conditions, num_byzantine = self.conditions, cell.num_byzantine
        options = rules(num_byzantine, conditions)[cell.rule]
        rooted = options["name"] == "fltrust"
        split = self.split(cell.split, cell.seed)
        trained = NUM_HONEST + (num_byzantine if cell.attack in (NO_ATTACK, LABEL_FLIP) else 0)
        rows = split[:trained] + split[-1:] * rooted
        labels = np.tile(self._pool.targets, (len(rows), 1))
        if cell.attack == LABEL_FLIP:
            labels[NUM_HONEST:trained] = flip_labels(labels[NUM_HONEST:trained], CLASSES)
        participants = [f"participant-{number:02}" for number in range(NUM_HONEST + num_byzantine)] + [ROOT] * rooted
        server = Server(rule=parse_rule(options), target=len(participants))
        random = np.random.default_rng([cell.seed, num_byzantine])
        model = initial_state("convolutional", conditions.architecture, cell.seed)
        for number in range(conditions.rounds):
            seeds = [1000 * cell.seed + 100_000 * number + place for place in range(len(rows))]
            deltas = self._cohort.train(model, rows, seeds, conditions.training, labels)
            updates = self._attacked(cell, deltas, trained, random)
            model = applied(model, server.delta(updates, participants))
        return self._evaluator.measure(model)["accuracy"]

    def _attacked(
        self, cell: Cell, deltas: NDArray[np.float32], trained: int, random: np.random.Generator
    ) -> NDArray[np.float32]:
        """What is sent: honest updates, Byzantine ones, and the root's."""
        if cell.attack not in CRAFTED or cell.num_byzantine == 0 or not np.isfinite(deltas).all():
            return deltas
        crafted = CRAFTED[cell.attack].craft(deltas[:NUM_HONEST], cell.num_byzantine, random)
        return np.concatenate([deltas[:NUM_HONEST], crafted, deltas[trained:]])


def _members(count: int) -> list[int]:
    """Participants of the task digits, in turn of its two populations (0 to 9 and 10 to 19)."""
    return [place // 2 + 10 * (place % 2) for place in range(count)]


def _joined(datasets: list[Dataset]) -> Dataset:
    return Dataset(
        inputs=np.concatenate([dataset.inputs for dataset in datasets]),
        targets=np.concatenate([dataset.targets for dataset in datasets]),
    )
