"""Whole units and channels removed: the one pruning that makes dense kernels faster, since what remains is a smaller
dense model (`fluvial.edge.training.narrowing`).

Without training afterwards it takes most from those whom few examples spoke for: measure it, or let a round of
fine-tuning follow (`fine_tuned`)."""

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from fluvial.edge.training.narrowing import narrowed
from fluvial.edge.training.onnx_export import export, to_bytes
from models.acceleration.recipe import Artefact, Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunedStructured:
    """Recipe `pruned_structured`. fraction: share of each hidden layer's units or channels that goes."""

    name: ClassVar[str] = "pruned_structured"

    fraction: float = 0.5

    def __post_init__(self) -> None:
        """Raises ValueError for a fraction outside (0, 1)."""
        if not 0 < self.fraction < 1:
            raise ValueError(f"pruned_structured: fraction is {self.fraction}; it must be between 0 and 1")

    def build(self, subject: Subject) -> Artefact:
        """The exported smaller model. Raises ValueError for a model that is no chain of layers."""
        return Artefact(data=to_bytes(export(self.transform(subject.module), subject.example)), deterministic=True)

    def transform(self, module: nn.Module) -> nn.Module:
        """A smaller copy of the module. Raises ValueError for a model that is no chain of layers."""
        return narrowed(module, self.fraction)
