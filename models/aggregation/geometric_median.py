"""Geometric median: the point with the least sum of distances to the updates. Source: Pillutla, Kakade and Harchaoui,
2022, "Robust Aggregation for Federated Learning", the smoothed Weiszfeld algorithm; Vardi and Zhang, 2000, "The
multivariate L1-median and associated data depth", for the step away from an update.

The point is a combination v = sum_i c_i x_i with sum c_i = 1, so distances to it follow from the Gram matrix, and one
pass over the updates does. Step by step c_i becomes 1 / max(smoothing, |x_i - v|), normalised: the sum of distances
falls with each. Where v lies within `smoothing` of some updates, that step hardly moves; if the others together pull
harder than those hold, v moves on as Vardi and Zhang say, by a share of the step that the others alone would make. It
ends when no share changes by more than 2**-28 of itself, or after `num_iterations`.

It starts in the middle of a majority: of the balls around updates that hold more than half of them the smallest is
taken, and v is the mean of the updates in it. At least one of these is honest, so the start lies among the honest
updates whatever f < n / 2 others are, and as the sum of distances never rises, so does the result, however few the
iterations and whatever the scale; `smoothing` larger than the honest updates' distances adds as much as itself.
Weights are not looked at. Shapes: N updates.
"""

from dataclasses import dataclass
from math import fsum, isfinite, sqrt
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from models.aggregation.coefficients import SCALE
from models.aggregation.gram import squared_distances, squared_distances_to
from models.aggregation.plan import DeferredRule, Gram, Measure, Plan, RoundUpdates, check_breakdown, measured
from models.aggregation.point import plan_at

TOLERANCE = 2.0**-28

Shares = NDArray[np.float64]


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


def weiszfeld(gram: Gram, smoothing: float, num_iterations: int) -> Shares:
    """Coefficients float64[N] of the geometric median, adding up to 1."""
    centre, shares = middle_of_majority(gram)
    # Seen from an update in the middle, far less is lost to cancellation than seen from the base model.
    seen = centred(gram, centre)
    for _ in range(num_iterations):
        before, shares = shares, _step(seen, shares, smoothing)
        if (np.abs(shares - before) <= TOLERANCE * shares).all():
            break
    return shares


def middle_of_majority(gram: Gram) -> tuple[int, Shares]:
    """The update around which the smallest ball holds more than half of all, and the mean of those in it, as shares
    float64[N]; among equals the earlier rows."""
    count = len(gram)
    majority = count // 2 + 1
    distances = squared_distances(gram)
    np.fill_diagonal(distances, -1.0)
    centre = int(np.argmin(np.sort(distances, axis=1)[:, majority - 1]))
    shares = np.zeros(count)
    shares[np.argsort(distances[centre], kind="stable")[:majority]] = 1.0 / majority
    return centre, shares


def centred(gram: Gram, centre: int) -> Gram:
    """Gram matrix float64[N, N] of the differences to the update `centre`."""
    column = gram[:, centre]
    differences: Gram = (gram - column[:, None]) - (column[None, :] - column[centre])
    np.fill_diagonal(differences, np.maximum(np.diagonal(differences), 0.0))
    return differences


def _step(gram: Gram, shares: Shares, smoothing: float) -> Shares:
    """The next point."""
    distances = np.sqrt(squared_distances_to(gram, shares))
    near = distances <= smoothing
    if near.any() and not near.all():
        others = _normalised(np.where(near, np.inf, distances))
        pull = _pull(gram, shares, others, distances[~near].tolist())
        held = np.count_nonzero(near) / pull if pull > 0 else np.inf
        if held < 1.0:
            escaped: Shares = others * (1.0 - held) + shares * held
            return escaped
    return _normalised(np.maximum(distances, smoothing))


def _normalised(distances: Shares) -> Shares:
    """Shares in inverse proportion to distances above 0; infinite ones have none."""
    inverse = distances.min() / distances
    normalised: Shares = inverse / fsum(inverse.tolist())
    return normalised


def _pull(gram: Gram, shares: Shares, others: Shares, distances: list[float]) -> float:
    """Length of the sum of the unit vectors from the point to the other updates, whose distances are given: the step
    that they alone would make, times the sum of their inverse distances."""
    step = others - shares
    squared = fsum((step * np.add.accumulate(gram * step[:, None], axis=0)[-1]).tolist())
    return sqrt(max(squared, 0.0)) * fsum(1.0 / distance for distance in distances)
