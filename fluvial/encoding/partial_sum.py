"""The exact sum of a region, int64, little-endian: eight bytes an element, and its weight beside it.

A region is a federation below another one. Its sum of weight * fixed-point values (`models/aggregation/fixed_point`)
goes up as it is, with as many fraction bits as the parent's rounds have, so that the parent adds integers that were
never divided. What they stand for as a delta is their mean, value / (weight * 2**fraction_bits); that divisor is the
update's one scale, exact in float64 because weights are below 2**53.

Elements are bounded in the sum, not after it: `largest_element` is what one update of weight 1 can contribute.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import isfinite

import numpy as np
import numpy.typing as npt

from fluvial.encoding import limits
from fluvial.encoding.base import Float32, check_chunk
from fluvial.encoding.int8 import LEVELS, largest_scale
from fluvial.wire.layout import num_elements
from fluvial.wire.records import TensorLayout

MAX_WEIGHT = 2**53
"""Weights below this are exact in float64."""


class PartialSumDecoding:
    """Implements `TensorDecoding`: the mean that a sum stands for, rounded to float32."""

    name = "partial_sum"
    bytes_per_element = 8

    def num_scales(self, layout: Sequence[TensorLayout]) -> int:
        return 1

    def decode_chunk(
        self, raw: bytes, first_element: int, layout: Sequence[TensorLayout], scales: Sequence[float]
    ) -> Float32:
        check_chunk(raw, self.bytes_per_element, first_element, num_elements(layout))
        (scale,) = scales
        if not scale > 0:
            raise ValueError(f"a sum cannot be divided by {scale}")
        return (sums(raw) / scale).astype(np.float32)


def sums(raw: bytes | memoryview) -> npt.NDArray[np.int64]:
    """The integers int64[n] of a chunk, read-only."""
    return np.frombuffer(raw, dtype="<i8")


def scale_of(weight: int, fraction_bits: int) -> float:
    """What the integers of a sum are divided by. Raises ValueError for a weight that float64 does not hold exactly."""
    if not 0 < weight < MAX_WEIGHT:
        raise ValueError(f"weight {weight} of a partial sum is not within 1 .. 2**53 - 1")
    return float(weight) * 2.0**fraction_bits


def weight_of(scale: float, fraction_bits: int) -> int:
    """The weight of a sum of that scale. Raises ValueError for a scale that no weight has."""
    weight = Fraction(scale) / 2**fraction_bits
    if weight.denominator != 1 or not 0 < weight < MAX_WEIGHT:
        raise ValueError(f"scale {scale} belongs to no weight with {fraction_bits} fraction bits")
    return int(weight)


def largest_element(max_abs: float, fraction_bits: int) -> int:
    """Largest integer that one update of weight 1, whose elements are within max_abs, enters a sum with.

    Of float32 values the rounded bound. Codes of int8 enter by their scale, which is rounded before it is multiplied,
    so 127 times the largest scale may lie a little above it.
    """
    bound: int = round(Fraction(limits.largest_element(max_abs)) * 2**fraction_bits)
    scale = largest_scale(max_abs)
    if not isfinite(scale):
        return bound
    unit: int = round(Fraction(scale) * 2**fraction_bits)
    return max(bound, LEVELS * unit)


def is_within(raw: bytes | memoryview, bound: int) -> bool:
    """Whether no integer of the chunk lies beyond the bound in either direction."""
    values = sums(raw)
    return values.size == 0 or -bound <= int(values.min()) <= int(values.max()) <= bound
