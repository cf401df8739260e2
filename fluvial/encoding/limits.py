"""A round's announced limits as the numbers meet them.

Limits are float64, values float32. Who clips to `max_abs` gets float32(max_abs), and who scales to `max_norm` a norm
that lies some units in the last place around it: both are within the limit.
"""

from functools import lru_cache
from math import isinf
from typing import NamedTuple

import numpy as np

NORM_TOLERANCE = 2.0**-22
"""What the elements' rounding and the order of adding squares may do to a norm, as a part of it."""


class Limits(NamedTuple):
    """What a round asks of an update's numbers, and the update's own weight.

    max_abs: of an element. max_norm: of the whole, L2; 0 for no limit. num_elements: of the model. fraction_bits: of
    the round's exact sums.
    """

    max_abs: float
    max_norm: float
    num_elements: int
    fraction_bits: int
    weight: int


@lru_cache(maxsize=1024)
def largest_element(max_abs: float) -> float:
    """Largest absolute value of a float32 element within max_abs: the limit as a float32."""
    with np.errstate(over="ignore"):
        rounded = float(np.float32(max_abs))
    return max_abs if isinf(rounded) else rounded


def largest_norm(max_norm: float) -> float:
    """Largest L2 norm of float32 elements within max_norm."""
    return max_norm * (1.0 + NORM_TOLERANCE)
