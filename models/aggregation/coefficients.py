"""Real coefficients as integers, so that combinations are exact sums like all others.

A coefficient c becomes floor(c * 2**24): rounding down never gives an update more than the rule meant to, however
large the update is. What is lost goes to the largest coefficient, which in every rule here belongs to an update that
lies close; so coefficients that add up to 1 still do, and equal updates give that update. Shapes: N updates.
"""

from collections.abc import Sequence
from math import fsum

SCALE_BITS = 24
SCALE = 1 << SCALE_BITS
MAX_COMPOSED_SUM = 1 << 28
"""A wrapper scales coefficients up by no more than what keeps their sum here: each bit is one less for the updates."""


def to_integers(coefficients: Sequence[float]) -> tuple[int, ...]:
    """Integers at scale 2**24 of coefficients that are at least 0, finite, and not all 0.

    Raises ValueError for others.
    """
    total = fsum(coefficients)
    if not 0 < total < float("inf") or min(coefficients) < 0:
        raise ValueError("coefficients must be finite, at least 0, and not all 0")
    integers = [int(coefficient * SCALE) for coefficient in coefficients]
    largest = max(range(len(integers)), key=lambda index: coefficients[index])
    integers[largest] += round(total * SCALE) - sum(integers)
    return tuple(integers)
