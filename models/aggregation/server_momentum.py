"""Server momentum (FedAvgM). Source: Hsu, Qi and Brown, 2019, "Measuring the Effects of Non-Identical Data Distribution
for Federated Visual Classification", section 4.3: v = momentum * v + delta, model = model + learning_rate * v."""

from dataclasses import dataclass
from typing import ClassVar

from models.aggregation.server_step import ElementwiseStep, Float32, Float64, check_fraction, check_positive, zeros


@dataclass(frozen=True, slots=True, kw_only=True)
class Momentum(ElementwiseStep):
    """Server optimizer `momentum`. learning_rate: of the server. momentum: what stays of the velocity."""

    name: ClassVar[str] = "momentum"
    moments: ClassVar[tuple[str, ...]] = ("velocity",)

    learning_rate: float = 1.0
    momentum: float = 0.9

    def __post_init__(self) -> None:
        """Raises ValueError for parameters out of their range."""
        check_positive("learning_rate", self.learning_rate)
        check_fraction("momentum", self.momentum)

    def initial_moments(self, size: int) -> tuple[Float32, ...]:
        """No velocity."""
        return (zeros(size),)

    def elements(
        self, base: Float32, delta: Float64, moments: tuple[Float64, ...]
    ) -> tuple[Float64, tuple[Float64, ...]]:
        """The velocity, and the model moved by it."""
        velocity = self.momentum * moments[0] + delta
        return base + self.learning_rate * velocity, (velocity,)
