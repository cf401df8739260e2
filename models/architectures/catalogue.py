"""The architectures that a task file can name."""

from collections.abc import Callable, Mapping
from typing import Any, get_type_hints

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fluvial.edge.training.flat import flatten
from models.architectures.convolutional import convolutional
from models.architectures.multilayer import logistic_regression, multilayer_perceptron

ARCHITECTURES: Mapping[str, Callable[..., nn.Module]] = {
    builder.__name__: builder for builder in (convolutional, logistic_regression, multilayer_perceptron)
}


def build(name: str, parameters: Mapping[str, Any]) -> nn.Module:
    """Module of that architecture; its weights are torch's own random ones. Raises ValueError for whatever parameters
    it cannot be made of."""
    if name not in ARCHITECTURES:
        raise ValueError(f"unknown architecture {name!r}; known: {', '.join(sorted(ARCHITECTURES))}")
    builder = ARCHITECTURES[name]
    for parameter, value in parameters.items():
        wanted = get_type_hints(builder).get(parameter)
        if not (wanted is None or isinstance(value, wanted) or (wanted is float and isinstance(value, int))):
            raise ValueError(f"the parameter {parameter} of {name} must be of type {wanted.__name__}, got {value!r}")
    try:
        return builder(**parameters)
    except Exception as error:  # torch has an error of its own for each way in which a size makes no sense
        raise ValueError(f"parameters {sorted(parameters)} do not fit the architecture {name}: {error}") from error


def initial_state(name: str, parameters: Mapping[str, Any], seed: int) -> NDArray[np.float32]:
    """float32[D] of the weights that a task starts from: torch's initialisation with this seed. Raises ValueError."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return flatten(build(name, parameters))
