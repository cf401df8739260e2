"""What a recipe is given, and what it makes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import ClassVar, Protocol

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn

from fluvial.edge.training.onnx_export import export


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A published model, and what may be looked at to accelerate it.

    module: with the published weights; recipes do not change it. calibration: float32[B, ...], inputs that the task
    sets apart for this; never those of the gate, which would then flatter the variant."""

    module: nn.Module
    calibration: NDArray[np.float32]

    @property
    def example(self) -> torch.Tensor:
        """Two calibration inputs: one would let the exporter take the batch size for a constant.

        Raises ValueError for fewer.
        """
        if len(self.calibration) < 2:
            raise ValueError(f"{len(self.calibration)} calibration inputs: at least 2 are needed")
        return torch.from_numpy(np.ascontiguousarray(self.calibration[:2]))

    def exported(self) -> onnx.ModelProto:
        """A copy of the module as an ONNX model, which is exported once. Raises ValueError if it cannot be."""
        copy = onnx.ModelProto()
        copy.CopyFrom(self._exported)
        return copy

    @cached_property
    def _exported(self) -> onnx.ModelProto:
        return export(self.module, self.example)


@dataclass(frozen=True, slots=True, kw_only=True)
class Artefact:
    """An ONNX model with input `inputs` float32[B, ...] and output `outputs` float32[B, ...]; or, for torch, the state
    of the task's module (`fluvial.edge.training.torch_artefact`).

    deterministic: whether the same model, recipe and builder versions give these very bytes on any machine. Otherwise a
    verifier compares answers.
    """

    data: bytes
    deterministic: bool

    @property
    def digest(self) -> bytes:
        """SHA-256 of the bytes."""
        return sha256(self.data).digest()


class Recipe(Protocol):
    """How a variant is made. A frozen dataclass whose fields are the recipe's parameters."""

    name: ClassVar[str]

    def build(self, subject: Subject) -> Artefact:
        """Make the variant. Raises ValueError for a model that the recipe does not fit, and says why."""
