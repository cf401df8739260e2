"""FedAdam: v = beta2 * v + (1 - beta2) * m^2. Source: Reddi et al., 2021, "Adaptive Federated Optimization", Algorithm
2."""

from dataclasses import dataclass
from typing import ClassVar

from models.aggregation.server_step import AdaptiveStep, Float64, check_fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Adam(AdaptiveStep):
    """Server optimizer `adam`. beta2: what stays of the second moment; other parameters: `AdaptiveStep`."""

    name: ClassVar[str] = "adam"

    beta2: float = 0.99

    def __post_init__(self) -> None:
        """Raises ValueError for parameters out of their range."""
        AdaptiveStep.__post_init__(self)
        check_fraction("beta2", self.beta2)

    def second_moment(self, before: Float64, square: Float64) -> Float64:
        """A moving average of squares."""
        return self.beta2 * before + (1.0 - self.beta2) * square
