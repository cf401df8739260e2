"""Rules whose result is a point among the updates: a combination whose coefficients are real."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.aggregation.coefficients import SCALE, to_integers
from models.aggregation.gram import squared_distances_to
from models.aggregation.plan import Gram, Plan


def plan_at(gram: Gram, shares: NDArray[np.float64]) -> Plan:
    """The plan that aggregates to sum_i shares[i] * x_i; scores are the updates' distances to it.

    gram: float64[N, N]. shares: float64[N], at least 0. Raises ValueError if they are all 0.
    """
    distances = np.sqrt(squared_distances_to(gram, shares))
    return weighted_by(shares.tolist(), tuple(distances.tolist()))


def weighted_by(shares: Sequence[float], scores: tuple[float, ...]) -> Plan:
    """The plan that aggregates to sum_i shares[i] * x_i. Raises ValueError if they are all 0 or not finite."""
    integers, shifts = to_integers(shares)
    return Plan(rows=(integers,), divisor=SCALE, shifts=(shifts,) if any(shifts) else (), scores=scores)
