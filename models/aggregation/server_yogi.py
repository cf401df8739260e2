"""FedYogi: v = v - (1 - beta2) * m^2 * sign(v - m^2). Source: Reddi et al., 2021, "Adaptive Federated Optimization",
Algorithm 2."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from models.aggregation.server_step import AdaptiveStep, Float64, check_fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Yogi(AdaptiveStep):
    """Server optimizer `yogi`. beta2: how slowly the second moment follows; other parameters: `AdaptiveStep`."""

    name: ClassVar[str] = "yogi"

    beta2: float = 0.99

    def __post_init__(self) -> None:
        """Raises ValueError for parameters out of their range."""
        AdaptiveStep.__post_init__(self)
        check_fraction("beta2", self.beta2)

    def second_moment(self, before: Float64, square: Float64) -> Float64:
        """Moves towards the square by a step of the square's own size."""
        second: Float64 = before - (1.0 - self.beta2) * square * np.sign(before - square)
        return second
