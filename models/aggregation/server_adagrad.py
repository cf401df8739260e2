"""FedAdagrad: v = v + m^2. Source: Reddi et al., 2021, "Adaptive Federated Optimization", Algorithm 2."""

from dataclasses import dataclass
from typing import ClassVar

from models.aggregation.server_step import AdaptiveStep, Float64


@dataclass(frozen=True, slots=True, kw_only=True)
class Adagrad(AdaptiveStep):
    """Server optimizer `adagrad`. Parameters: `AdaptiveStep`; without momentum by default, as in the paper's runs."""

    name: ClassVar[str] = "adagrad"

    beta1: float = 0.0

    def second_moment(self, before: Float64, square: Float64) -> Float64:
        """All squares so far."""
        return before + square
