"""Centered clipping: steps from the base model, each the mean of the updates' differences to where one stands, cut to a
radius. Source: Karimireddy, He and Jaggi, 2021, "Learning from History for Byzantine Robust Optimization", Algorithm 2.

v becomes v + 1/n sum_i (x_i - v) min(1, radius / |x_i - v|), `num_iterations` times from v = 0, the base model (the
paper goes on from its momentum; updates are differences to the base already). v is a combination of the updates, so all
distances follow from the Gram matrix. Proven for f up to about n / 10, given that the start is good; no update can move
the result by more than num_iterations * radius / n. Weights are not looked at. Shapes: N updates.
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

_LEAST = 2.0**-1000
"""A difference is never cut to nothing, so that there always is an aggregate: what float64 would lose is rounded to 0
in the sum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CenteredClipping(DeferredRule):
    """Rule `centered_clipping`. radius: in the unit of the updates' norms; between an honest update's usual distance
    to the mean and its norm. num_byzantine: how many Byzantine updates the operator counts on; it changes no result."""

    name: ClassVar[str] = "centered_clipping"
    measure: ClassVar[Measure] = Measure.GRAM

    radius: float
    num_iterations: int = 3
    num_byzantine: int = 0

    def __post_init__(self) -> None:
        """Raises ValueError for parameters that are not positive."""
        if not (isfinite(self.radius) and self.radius > 0) or self.num_iterations < 1:
            raise ValueError(f"radius {self.radius} and num_iterations {self.num_iterations} must be positive")

    def breakdown_point(self, num_updates: int) -> int:
        """A tenth."""
        return num_updates // 10

    def check_quorum(self, quorum: int) -> None:
        """Raises ValueError if num_byzantine of `quorum` updates are more than a tenth."""
        check_breakdown(self.name, self.num_byzantine, self.breakdown_point(quorum), quorum)

    def coefficient_bound(self, target: int, max_weight: int) -> int:
        """Coefficients that add up to at most 1, at their scale."""
        return SCALE

    def plan(self, updates: RoundUpdates, gram: Gram | None = None) -> Plan:
        """The combination; scores are the distances to it."""
        gram = measured(gram, updates)
        return plan_at(gram, centered(gram, self.radius, self.num_iterations))


def centered(gram: Gram, radius: float, num_iterations: int) -> NDArray[np.float64]:
    """Coefficients float64[N] of the point that centered clipping arrives at: at least 0, adding up to at most 1."""
    count = len(gram)
    shares = np.zeros(count)
    for _ in range(num_iterations):
        # radius / max(radius, distance) is min(1, radius / distance), without a division by 0
        kept = radius / np.maximum(np.sqrt(squared_distances_to(gram, shares)), radius)
        kept = np.maximum(kept, _LEAST)
        shares = shares * (1.0 - fsum(kept.tolist()) / count) + kept / count
    return shares
