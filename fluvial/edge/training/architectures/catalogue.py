"""The architectures that a task file can name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import TYPE_CHECKING, Any, get_type_hints

import numpy as np
from numpy.typing import NDArray

from fluvial.edge.training.architectures.convolutional import convolutional
from fluvial.edge.training.architectures.drawing import drawn
from fluvial.edge.training.architectures.layers import Layer, Tensor
from fluvial.edge.training.architectures.multilayer import logistic_regression, multilayer_perceptron
from fluvial.wire.memory import memory_bytes
from fluvial.wire.records import TensorLayout

if TYPE_CHECKING:
    from torch import nn

_BYTES = 4
"""Of an element."""
_COPIES = 2

ARCHITECTURES: Mapping[str, Callable[..., tuple[Layer, ...]]] = {
    builder.__name__: builder for builder in (convolutional, logistic_regression, multilayer_perceptron)
}


def layers_of(name: str, parameters: Mapping[str, Any]) -> tuple[Layer, ...]:
    """The layers of that architecture. Raises ValueError for whatever parameters it cannot be made of."""
    if name not in ARCHITECTURES:
        raise ValueError(f"unknown architecture {name!r}; known: {', '.join(sorted(ARCHITECTURES))}")
    builder = ARCHITECTURES[name]
    for parameter, value in parameters.items():
        wanted = get_type_hints(builder).get(parameter)
        if not (wanted is None or isinstance(value, wanted) or (wanted is float and isinstance(value, int))):
            raise ValueError(f"the parameter {parameter} of {name} must be of type {wanted.__name__}, got {value!r}")
    try:
        return builder(**parameters)
    except (TypeError, ValueError) as error:  # missing and unknown ones, and sizes that make no sense
        raise ValueError(f"parameters {sorted(parameters)} do not fit the architecture {name}: {error}") from error


def layout_of(layers: tuple[Layer, ...]) -> tuple[TensorLayout, ...]:
    """Names, as in the state of torch's module, and shapes of the tensors, all of which travel."""
    return tuple(
        TensorLayout(name=f"{number}.{tensor.name}", shape=tensor.shape)
        for number, layer in enumerate(layers)
        for tensor in layer.tensors
    )


def initial_elements(layers: tuple[Layer, ...], seed: int) -> NDArray[np.float32]:
    """float32[D] of the weights that a task starts from. Raises ValueError for more than the memory holds."""
    check_memory(layers)
    try:
        elements, end = np.empty(_num_elements(layers), np.float32), 0
        for tensor in drawn(_tensors(layers), seed):
            elements[end : end + tensor.size] = tensor.reshape(-1)
            end += tensor.size
    except (MemoryError, OverflowError, ValueError) as error:  # ValueError: more than numpy can count
        raise ValueError(f"{_size(layers)}, which cannot be had here: {error}") from error
    return elements


def check_memory(layers: tuple[Layer, ...]) -> None:
    """Whether this machine could hold the model and, to publish, train or measure it, once more of it; a system that
    promises more memory than it has ends whoever uses it. Raises ValueError that says how large the model is."""
    memory = memory_bytes()
    if memory and _COPIES * _BYTES * _num_elements(layers) > memory:
        raise ValueError(
            f"{_size(layers)}, and is held {_COPIES} times: this machine has {_gigabytes(memory)} of memory"
        )


def initial_state(name: str, parameters: Mapping[str, Any], seed: int) -> NDArray[np.float32]:
    """float32[D] of the weights that a task starts from: torch's initialisation with this seed. Raises ValueError."""
    return initial_elements(layers_of(name, parameters), seed)


def build(name: str, parameters: Mapping[str, Any], seed: int | None = None) -> nn.Module:
    """Module of that architecture, with the weights of the seed; without one, torch's own random ones. Raises
    ValueError for whatever parameters it cannot be made of."""
    layers = layers_of(name, parameters)
    check_memory(layers)
    import torch  # late: who asks for layouts and weights alone does without

    from fluvial.edge.training.architectures.modules import module_of

    try:
        module = module_of(layers)
    except RuntimeError as error:  # torch's, of sizes that no memory holds
        raise ValueError(f"parameters {sorted(parameters)} do not fit the architecture {name}: {error}") from error
    if seed is not None:
        with torch.no_grad():
            for tensor, values in zip(module.state_dict().values(), drawn(_tensors(layers), seed), strict=True):
                tensor.copy_(torch.from_numpy(values))
    return module


def _num_elements(layers: tuple[Layer, ...]) -> int:
    return sum(prod(tensor.shape) for tensor in _tensors(layers))


def _size(layers: tuple[Layer, ...]) -> str:
    elements = _num_elements(layers)
    return f"a model of {elements:,} elements takes {_gigabytes(_BYTES * elements)}"


def _gigabytes(num_bytes: int) -> str:
    return f"{num_bytes / 1e9:,.1f} GB"


def _tensors(layers: tuple[Layer, ...]) -> list[Tensor]:
    return [tensor for layer in layers for tensor in layer.tensors]
