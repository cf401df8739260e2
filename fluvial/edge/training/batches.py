"""Examples as tensors, and how a module is called with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from fluvial.edge.packages.examples import Array, Examples
from fluvial.edge.training.tensor_values import NAMES

Tensors = torch.Tensor | tuple[torch.Tensor, ...] | Mapping[str, torch.Tensor]


class Batches:
    """Examples on a device; floating inputs have the dtype of the module's first weight."""

    def __init__(self, examples: Examples, module: nn.Module, device: str = "cpu") -> None:
        dtype = _dtype_of(module)

        def placed(array: Array) -> torch.Tensor:
            tensor = torch.from_numpy(np.ascontiguousarray(array))
            return tensor.to(device, dtype) if tensor.dtype.is_floating_point else tensor.to(device)

        self._inputs = _each(examples.inputs, placed)
        self.targets = torch.from_numpy(np.ascontiguousarray(examples.targets)).to(device)

    def __len__(self) -> int:
        return len(self.targets)

    def inputs(self, chosen: torch.Tensor | slice) -> Tensors:
        """The inputs of those examples."""
        found: Tensors = _each(self._inputs, lambda tensor: tensor[chosen])
        return found


def _dtype_of(module: nn.Module) -> torch.dtype:
    """Of its first matrix that can be multiplied with, since scales and biases may be of others."""
    weights = [parameter for parameter in module.parameters() if parameter.dtype in NAMES]
    first = next((weight for weight in weights if weight.ndim > 1), weights[0] if weights else None)
    return torch.float32 if first is None else first.dtype


def call(module: nn.Module, inputs: Tensors) -> Any:
    """The module's predictions: inputs by position, by keyword, or one alone. Of an output with `logits`, as those of
    transformers, these."""
    if isinstance(inputs, torch.Tensor):
        outputs = module(inputs)
    elif isinstance(inputs, Mapping):
        outputs = module(**inputs)
    else:
        outputs = module(*inputs)
    logits = getattr(outputs, "logits", None)
    return outputs if logits is None else logits


def _each(inputs: Any, function: Callable[[Any], Any]) -> Any:
    if isinstance(inputs, Mapping):
        return {name: function(one) for name, one in inputs.items()}
    if isinstance(inputs, tuple):
        return tuple(function(one) for one in inputs)
    return function(inputs)
