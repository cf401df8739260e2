"""The exact sum of a region, int64, little-endian: eight bytes an element, and its weight beside it.

A region is a federation below another one. Its sum of weight * fixed-point values (`models/aggregation/fixed_point`)
goes up as it is, with as many fraction bits as the parent's rounds have, so that the parent adds integers that were
never divided. What they stand for as a delta is their mean, value / (weight * 2**fraction_bits); that divisor is the
update's one scale, exact in float64 because weights are below 2**53.

Elements are bounded in the sum, not after it: `largest_element` is what one update of weight 1 can contribute.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from math import inf, sqrt
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from fluvial.encoding.base import Bytes, Fault, Float32, TensorDecoding, check_length
from fluvial.encoding.chunks import split
from fluvial.encoding.limits import Limits
from fluvial.encoding.participants import ENCODINGS
from fluvial.encoding.pieces import Sums
from fluvial.encoding.span import Layout, Span

MAX_WEIGHT = 2**53
"""Weights below this are exact in float64."""
_BYTES = 8


class PartialSumDecoding(TensorDecoding):
    """Decodes to the mean that a sum stands for, rounded to float32.

    Not additive: with a multiple of its own weight a sum's integers enter undivided, otherwise its mean does.
    """

    name = "partial_sum"
    additive: ClassVar[bool] = False

    def length_bounds(self, num_elements: int) -> tuple[int, int]:
        return _BYTES * num_elements, _BYTES * num_elements

    def split(self, encoded: Bytes, chunk_elements: int) -> Iterator[memoryview]:
        """The chunks of a whole sum."""
        return split(encoded, _BYTES * chunk_elements)

    def decode(self, raw: Bytes, span: Span, scales: Sequence[float]) -> Float32:
        (piece,) = self.pieces(raw, span, scales)
        return piece.mean()

    def check(self, raw: Bytes, span: Span, limits: Limits) -> Fault | None:
        """Every integer is one that so much weight can add up to."""
        fault = super().check(raw, span, limits)
        if fault is None and not is_within(raw, limits.weight * largest_element(limits.max_abs, limits.fraction_bits)):
            return Fault.MAGNITUDE_EXCEEDED
        return fault

    def check_scales(self, scales: Sequence[float], layout: Layout, limits: Limits) -> Fault | None:
        """The one scale is what weight and fraction bits make it: nothing is left to the region."""
        if limits.weight >= MAX_WEIGHT:
            return Fault.WEIGHT
        exact = tuple(scales) == (scale_of(limits.weight, limits.fraction_bits),)
        return None if exact else Fault.ENCODING

    def pieces(self, raw: Bytes, span: Span, scales: Sequence[float]) -> Iterable[Sums]:
        check_length(self, raw, span)
        if len(scales) != 1 or not scales[0] > 0:
            raise ValueError(f"a sum cannot be divided by {list(scales)}")
        return (Sums(sums(raw), scales[0]),)

    def largest_element(self, max_abs: float) -> float:
        """Integers are bounded, not their mean."""
        return inf

    def largest_norm(self, limits: Limits) -> float:
        """Of updates within the limit the mean is, too; a code of int8 may be off by 64 units of the sum's grid, and
        the mean is measured as float32."""
        largest = super().largest_norm(limits) * (1 + 2.0**-23)
        return largest + 64 * 2.0**-limits.fraction_bits * sqrt(limits.num_elements)


def sums(raw: Bytes) -> npt.NDArray[np.int64]:
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
    """Largest integer that one update of weight 1, whose elements are within max_abs, enters a sum with, in whatever
    encoding."""
    return max(encoding.largest_fixed(max_abs, fraction_bits) for encoding in ENCODINGS.values())


def is_within(raw: Bytes, bound: int) -> bool:
    """Whether no integer of the chunk lies beyond the bound in either direction."""
    values = sums(raw)
    return values.size == 0 or -bound <= int(values.min()) <= int(values.max()) <= bound
