"""Min-max. Source: Shejwalkar and Houmansadr, 2021, "Manipulating the Byzantine: Optimizing Model Poisoning Attacks and
Defenses for Federated Learning", section IV-C, with the standard deviation as perturbation.

The honest mean is moved against the standard deviation as far as the largest distance to an honest update does not
exceed the largest distance between two of them. The paper searches the factor by halving; here it is the root of a
quadratic equation. Shapes: H honest updates, D parameters.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from models.attacks.attack import Updates, mean_and_deviation, repeated


def largest_factor(honest: Updates) -> float:
    """The largest gamma with max_i |mean - gamma * deviation - x_i| <= max_ij |x_i - x_j|; 0 if all updates are equal.

    honest: float32[H, D], H >= 2 (for every i the left side is a parabola in gamma, and at gamma = 0 all hold).
    """
    mean, deviation = mean_and_deviation(honest)
    steepness = float(deviation @ deviation)
    if steepness == 0.0:
        return 0.0
    exact = honest.astype(np.float64)
    radius = max(float(np.square(exact[row + 1 :] - exact[row]).sum(axis=1).max()) for row in range(len(exact) - 1))
    offsets = mean - exact
    slopes, distances = offsets @ deviation, np.square(offsets).sum(axis=1)
    roots = (slopes + np.sqrt(np.square(slopes) + steepness * (radius - distances))) / steepness
    return float(roots.min())


@dataclass(frozen=True, slots=True, kw_only=True)
class MinMax:
    """Attack `min_max`: all Byzantine participants send mean - gamma * deviation with the largest gamma that hides."""

    name: ClassVar[str] = "min_max"

    def craft(self, honest: Updates, num_byzantine: int, random: np.random.Generator) -> Updates:
        """See `Attack`."""
        mean, deviation = mean_and_deviation(honest)
        return repeated(mean - largest_factor(honest) * deviation, num_byzantine)
