"""Linear layers as the product of two thinner ones: the largest singular values stay. Source: Denton et al., 2014,
"Exploiting Linear Structure Within Convolutional Networks for Efficient Evaluation".

The factors come from LAPACK, whose last bits depend on the machine: a verifier compares answers, not bytes.
"""

from copy import deepcopy
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import nn

from fluvial.edge.training.onnx_export import export, to_bytes
from models.acceleration.recipe import Artefact, Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class LowRank:
    """Recipe `low_rank`. fraction: of the full rank of each linear layer that stays."""

    name: ClassVar[str] = "low_rank"

    fraction: float = 0.25

    def __post_init__(self) -> None:
        """Raises ValueError for a fraction outside (0, 1)."""
        if not 0 < self.fraction < 1:
            raise ValueError(f"low_rank: fraction is {self.fraction}; it must be between 0 and 1")

    def build(self, subject: Subject) -> Artefact:
        """The exported model with thinner layers. Raises ValueError where no layer would become smaller."""
        thinner = self.transform(subject.module)
        return Artefact(data=to_bytes(export(thinner, subject.example)), deterministic=False)

    def transform(self, module: nn.Module) -> nn.Module:
        """A copy of the module with thinner layers. Raises ValueError where no layer would become smaller."""
        copy = deepcopy(module)
        replaced = 0
        for name, layer in list(copy.named_modules()):
            if not isinstance(layer, nn.Linear):
                continue
            outputs, inputs = layer.weight.shape
            rank = max(1, int(self.fraction * min(outputs, inputs)))
            if rank * (outputs + inputs) >= outputs * inputs:
                continue
            parent, _, child = name.rpartition(".")
            setattr(copy.get_submodule(parent), child, _factors(layer, rank))
            replaced += 1
        if not replaced:
            raise ValueError(f"low_rank: with {self.fraction} of its rank no linear layer of the model becomes smaller")
        return copy


def _factors(layer: nn.Linear, rank: int) -> nn.Sequential:
    weight = layer.weight.detach().cpu().numpy().astype(np.float64)
    left, values, right = np.linalg.svd(weight, full_matrices=False)
    left, right = left[:, :rank] * np.sqrt(values[:rank]), right[:rank] * np.sqrt(values[:rank])[:, None]
    # Singular vectors have two signs each: the one that makes the largest entry positive.
    signs = np.sign(right[np.arange(rank), np.abs(right).argmax(axis=1)])
    first = nn.Linear(layer.in_features, rank, bias=False)
    second = nn.Linear(rank, layer.out_features, bias=layer.bias is not None)
    with torch.no_grad():
        first.weight.copy_(torch.from_numpy(right * signs[:, None]))
        second.weight.copy_(torch.from_numpy(left * signs))
        if layer.bias is not None:
            second.bias.copy_(layer.bias)
    return nn.Sequential(first, second)
