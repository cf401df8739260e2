"""Geometric median: the point with the least sum of distances to the updates. Source: Pillutla, Kakade and Harchaoui,
2022, "Robust Aggregation for Federated Learning", the smoothed Weiszfeld algorithm.

The point is a combination v = sum_i c_i x_i with sum c_i = 1, so distances to it follow from the Gram matrix, and one
pass over the updates does. From v = 0, the base model, c_i becomes 1 / max(smoothing, |x_i - v|), normalised, until no
c_i changes by more than 2**-28 or after `num_iterations`. The start keeps a far update from pulling: its first share
is 1 / |x_i|. Holds against f < n / 2 arbitrary updates. Weights are not looked at. Shapes: N updates.
"""

from dataclasses import dataclass
from math import fsum, isfinite
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from models.aggregation.coefficients import SCALE
from models.aggregation.gram import squared_distances_to
from models.aggregation.plan import DeferredRule, Gram, Measure, Plan, RoundUpdates, check_breakdown, measured
from models.aggregation.point import plan_at

TOLERANCE = 2.0**-28


@dataclass(frozen=True, slots=True, kw_only=True)
class GeometricMedian(DeferredRule):
    """Rule `geometric_median`. smoothing: distances below it count as it; in the unit of the updates' norms.
    num_byzantine: how many Byzantine updates the operator counts on; it changes no result."""

    name: ClassVar[str] = "geometric_median"
    measure: ClassVar[Measure] = Measure.GRAM

    smoothing: float = 1e-6
    num_iterations: int = 100
    num_byzantine: int = 0

    def __post_init__(self) -> None:
        """Raises ValueError for parameters that are not positive."""
        if not (isfinite(self.smoothing) and self.smoothing > 0) or self.num_iterations < 1:
            raise ValueError(f"smoothing {self.smoothing} and num_iterations {self.num_iterations} must be positive")

    def breakdown_point(self, num_updates: int) -> int:
        """Fewer than half."""
        return (num_updates - 1) // 2

    def check_quorum(self, quorum: int) -> None:
        """Raises ValueError if num_byzantine of `quorum` updates are half or more."""
        check_breakdown(self.name, self.num_byzantine, self.breakdown_point(quorum), quorum)

    def coefficient_bound(self, target: int, max_weight: int) -> int:
        """Coefficients that add up to 1, at their scale."""
        return SCALE

    def plan(self, updates: RoundUpdates, gram: Gram | None = None) -> Plan:
        """The combination; scores are the distances to it."""
        gram = measured(gram, updates)
        return plan_at(gram, weiszfeld(gram, self.smoothing, self.num_iterations))


def weiszfeld(gram: Gram, smoothing: float, num_iterations: int) -> NDArray[np.float64]:
    """Coefficients float64[N] of the geometric median, adding up to 1."""
    shares = np.zeros(len(gram))
    for _ in range(num_iterations):
        inverse = 1.0 / np.maximum(np.sqrt(squared_distances_to(gram, shares)), smoothing)
        before, shares = shares, inverse / fsum(inverse.tolist())
        if np.abs(shares - before).max() <= TOLERANCE:
            break
    return shares
