"""float64 as float32: three planes hi, mid, lo of its shape, whose sum it is.

hi is the value rounded to float32, mid what remains, rounded, lo what remains of that; 3 x 24 bits hold the 53 of a
float64. That is exact for zeros and for magnitudes from 2**-96 to the largest float32; smaller ones lose what is below
2**-149, larger ones do not fit. Source: multi-term floating-point expansions, Priest, 1991, "Algorithms for Arbitrary
Precision Floating Point Arithmetic".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]


def planes_of(values: NDArray[np.float64], name: str = "values") -> Vector:
    """float32[3 * N], hi, mid and lo of float64[N]. Raises ValueError for finite values beyond float32."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        high = values.astype(np.float32)
        rest = values - high
        middle = rest.astype(np.float32)
        low = (rest - middle).astype(np.float32)
    if (np.isinf(high) & np.isfinite(values)).any():
        raise ValueError(f"tensor {name} has float64 values beyond the largest float32, which do not travel")
    odd = ~np.isfinite(high)
    middle[odd] = low[odd] = 0
    return np.concatenate([high, middle, low])


def values_of(planes: Vector) -> NDArray[np.float64]:
    """float64[N] of float32[3 * N]."""
    high, middle, low = planes.astype(np.float64).reshape(3, -1)
    rest = middle + low
    values: NDArray[np.float64] = np.where(rest == 0, high, high + rest)  # -0.0 + 0.0 would lose its sign
    return values
