"""What the steps of server optimizers share. Shapes: n elements of a chunk."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import isfinite
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

_TILE = 8192
"""Elements worked on at a time: they stay in the second-level cache. Does not change results."""

_MAX_ADAPTIVITY = 1e18
"""Its square is the second moment that one starts with, which is float32."""


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


class ElementwiseStep(ABC):
    """A step that treats each element alone, in float64: done in tiles, and rounded to float32 once."""

    __slots__ = ()

    moments: ClassVar[tuple[str, ...]]

    def step(self, base: Float32, delta: Float64, moments: tuple[Float32, ...]) -> tuple[Float32, tuple[Float32, ...]]:
        """New model and moments. Raises ValueError for shapes that differ, or another number of moments."""
        shapes = [base.shape, delta.shape, *(moment.shape for moment in moments)]
        if len(moments) != len(self.moments) or len(set(shapes)) != 1:
            raise ValueError(f"base, aggregate and {len(self.moments)} moments must have one shape, got {shapes}")
        model, after = np.empty_like(base), tuple(np.empty_like(moment) for moment in moments)
        for start in range(0, base.size, _TILE):
            tile = slice(start, start + _TILE)
            before = tuple(moment[tile].astype(np.float64) for moment in moments)
            model[tile], its_moments = self.elements(base[tile], delta[tile], before)
            for moment, values in zip(after, its_moments, strict=True):
                moment[tile] = values
        return model, after

    @abstractmethod
    def elements(
        self, base: Float32, delta: Float64, moments: tuple[Float64, ...]
    ) -> tuple[Float64, tuple[Float64, ...]]:
        """New values and moments of some elements, all in float64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptiveStep(ElementwiseStep):
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
        if self.adaptivity > _MAX_ADAPTIVITY:
            raise ValueError(f"adaptivity must be at most {_MAX_ADAPTIVITY:g}, got {self.adaptivity}")
        check_fraction("beta1", self.beta1)

    def initial_moments(self, size: int) -> tuple[Float32, ...]:
        """No momentum; a second moment of adaptivity squared."""
        return zeros(size), np.full(size, self.adaptivity * self.adaptivity, np.float32)

    def elements(
        self, base: Float32, delta: Float64, moments: tuple[Float64, ...]
    ) -> tuple[Float64, tuple[Float64, ...]]:
        """m, v, and the model moved by them."""
        momentum, second = moments
        momentum = self.beta1 * momentum + (1.0 - self.beta1) * delta
        second = self.second_moment(second, momentum * momentum)
        return base + self.learning_rate * momentum / (np.sqrt(second) + self.adaptivity), (momentum, second)

    @abstractmethod
    def second_moment(self, before: Float64, square: Float64) -> Float64:
        """v from its last value and the momentum squared."""
