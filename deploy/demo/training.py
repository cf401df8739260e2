"""The participants' training: the task's architecture and the built-in trainer, on one group of the task's data."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from fluvial.edge.participation import Train
from fluvial.edge.training.config import TrainingConfig
from fluvial.edge.training.trainer import train
from fluvial.wire.records import Round
from fluvial.wire.task_file import TaskFile
from models.architectures import build
from models.datasets import load_participant

torch.set_num_threads(1)


def local_trainer(task_file: TaskFile, data: Path, group: int) -> Train:
    """A participant's train function. The order of its examples follows from task, group and round."""
    module = build(task_file.model.architecture, task_file.model.parameters)
    examples = load_participant(data, group)
    config = training_config(task_file)

    def train_locally(base_D: NDArray[np.float32], round_: Round) -> tuple[NDArray[np.float32], int]:
        seed = seed_of(f"{task_file.task}/{group}/{round_.round}")
        return train(module, base_D, round_.layout, examples.inputs, examples.targets, config, seed)

    return train_locally


def training_config(task_file: TaskFile) -> TrainingConfig:
    """The task's training terms. Raises ValueError for ones that the trainer does not know."""
    return TrainingConfig.from_mapping(task_file.training.model_dump())


def seed_of(text: str) -> int:
    """A seed, the same on every machine: 63 bits of SHA-256."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) >> 1
