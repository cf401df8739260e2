"""bfloat16, the upper half of a float32, little-endian: two bytes an element, 8 bits of precision, float32's range.

Values are rounded to the nearest, ties to even. Source: Kalamkar et al., 2019, "A Study of BFLOAT16 for Deep Learning
Training".
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fluvial.encoding.base import Float32
from fluvial.encoding.elementwise import ElementwiseEncoding

LARGEST = float(np.array([0x7F7F0000], np.uint32).view(np.float32)[0])
_EXPONENT = np.uint16(0x7F80)


class BFloat16Encoding(ElementwiseEncoding):
    """Every value is a float32 exactly."""

    name = "bfloat16"
    dtype = np.dtype("<u2")

    def to_codes(self, values: Float32) -> npt.NDArray[Any]:
        bits = np.ascontiguousarray(values).view(np.uint32)
        # Adding half a unit, less one where the last bit kept is 0, carries into it as rounding wants. What is not
        # finite has all bits of the exponent before; it may wrap around, so it is looked for in what was given.
        codes = ((bits + ((bits >> np.uint32(16)) & np.uint32(1)) + np.uint32(0x7FFF)) >> np.uint32(16)).astype("<u2")
        if not np.isfinite(values).all() or (codes & _EXPONENT == _EXPONENT).any():
            raise ValueError(f"bfloat16 holds finite elements up to {LARGEST:g}")
        return codes

    def from_codes(self, codes: npt.NDArray[Any]) -> Float32:
        return (codes.astype(np.uint32) << np.uint32(16)).view(np.float32)

    def largest_element(self, max_abs: float) -> float:
        """The limit, rounded to bfloat16."""
        limit = np.array([super().largest_element(min(max_abs, LARGEST))], np.float32)
        return float(self.from_codes(self.to_codes(limit))[0])
