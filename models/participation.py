"""The trainer that `fluvial participate` uses by default: the task's architecture on one group of a data file."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from torch import nn

from fluvial.edge.trainer import TrainingRequest
from fluvial.edge.training.config import TrainingConfig
from fluvial.edge.training.correction import Correction
from fluvial.edge.training.trainer import train
from models.architectures import build
from models.datasets import Dataset, load_participant

_load = lru_cache(maxsize=1)(load_participant)


def trainer(request: TrainingRequest) -> tuple[NDArray[np.float32], int]:
    """Trains on the examples of the group `request.index`; returns (delta_D, number of examples).

    With dynamic_alpha (FedDyn) it remembers the gradient of its own loss in `request.state`. Raises ValueError when
    data, architecture, layout or training configuration do not fit one another, or when there is no such folder.
    """
    module = build(request.model["architecture"], request.model["parameters"])
    return train_on(request, module, _load(request.data, request.index))


def train_on(request: TrainingRequest, module: nn.Module, examples: Dataset) -> tuple[NDArray[np.float32], int]:
    """As `trainer`, with a module of the task's architecture, whose state is overwritten, and these examples."""
    config = TrainingConfig.from_mapping(request.training)
    if not config.dynamic_alpha:
        return train(module, request.base_D, request.layout, examples.inputs, examples.targets, config, request.seed)
    if request.state is None:
        raise ValueError("dynamic_alpha needs a place to remember the last round's gradient, and there is none")
    kept = Correction(request.state, request.task)
    before = kept.before(request.round, request.base_D.size)
    delta_D, weight = train(
        module,
        request.base_D,
        request.layout,
        examples.inputs,
        examples.targets,
        config,
        request.seed,
        correction=before,
    )
    kept.keep(request.round, before, before - np.float32(config.dynamic_alpha) * delta_D)
    return delta_D, weight
