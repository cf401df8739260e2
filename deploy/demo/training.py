"""The participants' training: the task's code on one group of the task's data."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from fluvial.edge.participation import Train
from fluvial.edge.training.task_code import TaskCode
from fluvial.wire.records import Round

torch.set_num_threads(1)


def local_trainer(code: TaskCode, data: Path, group: int) -> Train:
    """A participant's train function. The order of its examples follows from task, group and round."""
    task_file = code.task_file
    state = code.state()
    examples = code.participant_examples(data, group)
    training = task_file.training.model_dump()

    def train_locally(base_D: NDArray[np.float32], round_: Round) -> tuple[NDArray[np.float32], int] | None:
        state.check_fits(round_.layout)
        return code.train(state, base_D, examples, training, seed_of(f"{task_file.task}/{group}/{round_.round}"))

    return train_locally


def seed_of(text: str) -> int:
    """A seed, the same on every machine: 63 bits of SHA-256."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) >> 1
