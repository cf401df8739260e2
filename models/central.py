"""The centrally trained baseline: what the same examples give when one place holds them all."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fluvial.edge.training.config import TrainingConfig
from fluvial.edge.training.flat import layout_of
from fluvial.edge.training.trainer import train
from models.architectures import build
from models.datasets import Dataset


def train_centrally(
    architecture: str,
    parameters: Mapping[str, Any],
    initial: NDArray[np.float32],
    dataset: Dataset,
    config: TrainingConfig,
    *,
    num_rounds: int,
    seed: int,
) -> NDArray[np.float32]:
    """Model float32[D] after as many passes over the pooled examples as a participant makes over its own in all rounds.

    initial: the federation's initial model. config: the participants' training. Raises ValueError as `train` does.
    """
    module = build(architecture, parameters)
    config = replace(config, epochs=config.epochs * num_rounds)
    delta, _ = train(module, initial, layout_of(module), dataset.inputs, dataset.targets, config, seed)
    return initial + delta
