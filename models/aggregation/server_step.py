"""What the steps of server optimizers share. Shapes: n elements of a chunk."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import isfinite
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


def zeros(size: int) -> Float32:
    """A moment that starts at 0."""
    return np.zeros(size, np.float32)


def check_positive(name: str, value: float) -> None:
    """Raises ValueError unless the value is finite and above 0."""
    if not (isfinite(value) and value > 0):
        raise ValueError(f"{name} must be positive, got {value}")


def check_fraction(name: str, value: float) -> None:
    """Raises ValueError unless 0 <= value < 1."""
    if not 0 <= value < 1:
        raise ValueError(f"{name} must be at least 0 and below 1, got {value}")


def check_shapes(base: Float32, delta: Float64, moments: tuple[Float32, ...], num_moments: int) -> tuple[Float64, ...]:
    """The moments in float64. Raises ValueError for another number of them, or if shapes differ."""
    shapes = [base.shape, delta.shape, *(moment.shape for moment in moments)]
    if len(moments) != num_moments or len(set(shapes)) != 1:
        raise ValueError(f"base, aggregate and {num_moments} moments must have one shape, got {shapes}")
    return tuple(moment.astype(np.float64) for moment in moments)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptiveStep(ABC):
    """Steps whose length is adapted to each element. Source: Reddi et al., 2021, "Adaptive Federated Optimization",
    Algorithm 2, without correction of the bias at the start, as there:

    m = beta1 * m + (1 - beta1) * delta, v as the optimizer says, model = model + learning_rate * m / (sqrt(v) +
    adaptivity). m starts at 0, v at adaptivity squared. adaptivity: tau, the smaller the more adaptive.
    """

    moments: ClassVar[tuple[str, ...]] = ("momentum", "second_moment")

    learning_rate: float = 0.01
    beta1: float = 0.9
    adaptivity: float = 1e-3

    def __post_init__(self) -> None:
        """Raises ValueError for parameters out of their range."""
        check_positive("learning_rate", self.learning_rate)
        check_positive("adaptivity", self.adaptivity)
        check_fraction("beta1", self.beta1)

    def initial_moments(self, size: int) -> tuple[Float32, ...]:
        """No momentum; a second moment of adaptivity squared."""
        return zeros(size), np.full(size, self.adaptivity * self.adaptivity, np.float32)

    def step(self, base: Float32, delta: Float64, moments: tuple[Float32, ...]) -> tuple[Float32, tuple[Float32, ...]]:
        """New model and moments. Raises ValueError for shapes that differ."""
        momentum, second = check_shapes(base, delta, moments, 2)
        momentum = self.beta1 * momentum + (1.0 - self.beta1) * delta
        second = self.second_moment(second, momentum * momentum)
        model = base + self.learning_rate * momentum / (np.sqrt(second) + self.adaptivity)
        return model.astype(np.float32), (momentum.astype(np.float32), second.astype(np.float32))

    @abstractmethod
    def second_moment(self, before: Float64, square: Float64) -> Float64:
        """v from its last value and the momentum squared."""
