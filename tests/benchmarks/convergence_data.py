"""Digits for a hundred participants: MNIST's training images with the writer of each, or what the repository has."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deploy.tasks.digits.prepare import read_idx, read_writers
from fluvial.edge.training.data_files import Dataset, load_evaluation, load_participant, num_participants
from tests.benchmarks.simulation.splits import Rows, by_chance, by_group, by_label

TASK = Path("deploy/tasks/digits")
HELD_OUT_EVERY = 13
"""Every so many writers of each population are nobody's: the evaluation set."""
SPLITS = ("chance", "writers", "labels")


@dataclass(frozen=True, slots=True, kw_only=True)
class Digits:
    """pool: the participants' examples. groups: who wrote each, int64. evaluation: of people who wrote none of them."""

    source: str
    pool: Dataset
    groups: NDArray[np.int64]
    evaluation: Dataset
    num_participants: int

    def split(self, name: str, seed: int) -> list[Rows]:
        """Each participant's rows of the pool. Raises ValueError for an unknown name."""
        if name == "chance":
            return by_chance(len(self.pool), self.num_participants, seed)
        if name == "writers":
            return by_group(self.groups, self.num_participants, seed)
        if name == "labels":
            return by_label(self.pool.targets, self.num_participants, seed)
        raise ValueError(f"unknown split {name!r}; known: {', '.join(SPLITS)}")


def read_mnist(source: Path) -> Digits:
    """MNIST's training set for 100 participants, from the files that deploy/tasks/digits/prepare.py describes."""
    images = read_idx(source / "train-images-idx3-ubyte.gz")[:, None].astype(np.float32) / np.float32(255)
    labels = read_idx(source / "train-labels-idx1-ubyte.gz").astype(np.int64)
    writers = read_writers(source / "train-writers.csv")
    owner = np.empty(len(labels), np.int64)
    for number, writer in enumerate(sorted(writers)):
        owner[writers[writer]] = number
    held_out = owner % HELD_OUT_EVERY == 0
    return Digits(
        source=f"MNIST's training set, {len(writers)} writers",
        pool=Dataset(inputs=images[~held_out], targets=labels[~held_out]),
        groups=owner[~held_out],
        evaluation=Dataset(inputs=images[held_out], targets=labels[held_out]),
        num_participants=100,
    )


def read_task() -> Digits:
    """The examples of the task digits, for its own 20 participants: for a quick look without MNIST's files."""
    path = TASK / "participants.safetensors"
    parts = [load_participant(path, number) for number in range(num_participants(path))]
    return Digits(
        source="task digits",
        pool=Dataset(
            inputs=np.concatenate([part.inputs for part in parts]),
            targets=np.concatenate([part.targets for part in parts]),
        ),
        groups=np.repeat(np.arange(len(parts)), [len(part) for part in parts]),
        evaluation=load_evaluation(TASK / "evaluation.safetensors"),
        num_participants=len(parts),
    )
