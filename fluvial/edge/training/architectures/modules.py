"""Layers as modules of torch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from fluvial.edge.training.architectures import layers


class Standardise(nn.Module):
    """See `layers.Standardise`."""

    def __init__(self, mean: float, deviation: float) -> None:
        super().__init__()
        self.mean, self.deviation = mean, deviation

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Same shape as `values`."""
        return (values - self.mean) / self.deviation


def module_of(architecture: Sequence[layers.Layer]) -> nn.Module:
    """Its weights are torch's own random ones. Raises RuntimeError, of torch, for sizes that no memory holds."""
    return nn.Sequential(*map(_module, architecture))


def _module(layer: layers.Layer) -> nn.Module:
    match layer:
        case layers.Linear():
            return nn.Linear(layer.inputs, layer.outputs)
        case layers.Convolution():
            return nn.Conv2d(layer.channels, layer.filters, layer.kernel, stride=layer.stride)
        case layers.GroupNormalisation():
            return nn.GroupNorm(layer.groups, layer.channels)
        case layers.Standardise():
            return Standardise(layer.mean, layer.deviation)
        case layers.Rectifier():
            return nn.ReLU()
        case layers.Flatten():
            return nn.Flatten()
    raise TypeError(f"no module is known for {layer}")
