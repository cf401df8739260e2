"""The trainer that `fluvial participate` uses by default: the task's architecture on one group of a data file."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from fluvial.edge.trainer import TrainingRequest
from fluvial.edge.training.config import TrainingConfig
from fluvial.edge.training.trainer import train
from models.architectures import build
from models.datasets import load_participant

_load = lru_cache(maxsize=1)(load_participant)


def trainer(request: TrainingRequest) -> tuple[NDArray[np.float32], int]:
    """Trains on the examples of the group `request.index`; returns (delta_D, number of examples).

    Raises ValueError when data, architecture, layout or training configuration do not fit one another.
    """
    module = build(request.model["architecture"], request.model["parameters"])
    examples = _load(request.data, request.index)
    config = TrainingConfig.from_mapping(request.training)
    return train(module, request.base_D, request.layout, examples.inputs, examples.targets, config, request.seed)
