"""float16 (IEEE 754 binary16), little-endian: two bytes an element, 11 bits of precision, up to 65,504.

Values are rounded to the nearest, ties to even. What lies below 2**-25 becomes 0: a delta whose elements are that small
is better off with bfloat16.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fluvial.encoding.base import Float32
from fluvial.encoding.elementwise import ElementwiseEncoding

LARGEST = 65504.0


class Float16Encoding(ElementwiseEncoding):
    """Every value is a float32 exactly."""

    name = "float16"
    dtype = np.dtype("<f2")

    def to_codes(self, values: Float32) -> npt.NDArray[Any]:
        codes = rounded(values)
        if not np.isfinite(codes).all():
            raise ValueError(f"float16 holds elements up to {LARGEST:g}; take bfloat16 or float32")
        return codes

    def from_codes(self, codes: npt.NDArray[Any]) -> Float32:
        return codes.astype(np.float32)

    def largest_element(self, max_abs: float) -> float:
        """The limit, rounded to float16."""
        return min(LARGEST, float(rounded(np.float32(super().largest_element(min(max_abs, LARGEST))))))


def rounded(values: npt.NDArray[np.floating[Any]] | np.floating[Any]) -> npt.NDArray[np.float16]:
    """As float16; infinite beyond its range."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        return np.asarray(values).astype("<f2")
