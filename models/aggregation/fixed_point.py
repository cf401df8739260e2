"""Exact weighted sums of float32 updates, in int64 fixed point.

An element x becomes the integer round(x * 2**fraction_bits), ties to even. A contribution adds weight * integer, so a
sum of contributions is a sum of integers: it does not depend on order, sharding, retries or the machine.
`fraction_bits` is chosen so that no sum that a round can have overflows. Division comes last, in float64, and the new
model is rounded to float32 once.

The rounding needs float32 arithmetic alone, and is exact: scaling by a power of two is (a result too small for a
normal float32 rounds to 0 either way), what `rint` gives is an integer below 2**62, and its conversion to int64 loses
nothing. No step may be fused with another.

Updates of very different size can enter with different fraction bits: an addition takes a `shift`, and adds weight *
round(x * 2**(fraction_bits - shift)), which stands for weight * 2**-shift * x. So a small real coefficient is an
integer with all its significant bits and a shift, and takes no precision from others.

Checked elsewhere (admission): elements are finite and within `max_abs` (as an encoding rounds it: sums are kept a
factor of two below what int64 holds), weights within `max_weight`, at most `target` updates. Shapes: n elements of one
chunk.
"""

import threading
from collections.abc import Iterator
from fractions import Fraction
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]
Codes = NDArray[np.integer[Any]]

SUM_BITS = 62
MAX_FRACTION_BITS = 62
MAX_TOTAL_WEIGHT = 2**53
"""Total weights below this are exact in float64, and leave room for what rounding adds to the largest sum."""

_MAX_CODE = 128

_TILE = 32768
"""Elements worked on at a time: the tile's buffers stay in the second-level cache. Does not change results."""


def fraction_bits(target: int, max_weight: int, max_abs: float) -> int:
    """Most fraction bits, at most 62, with target * max_weight * max_abs * 2**bits < 2**62.

    Raises ValueError for bounds that are not positive and finite, or that leave no fraction bits at all.
    """
    if target < 1 or max_weight < 1 or not (isfinite(max_abs) and max_abs > 0):
        raise ValueError(f"bounds must be positive and finite, got {target}, {max_weight}, {max_abs}")
    if target * max_weight >= MAX_TOTAL_WEIGHT:
        raise ValueError(f"target * max_weight is {target * max_weight}, must be below 2**53")
    bound = target * max_weight * Fraction(max_abs)
    bits = MAX_FRACTION_BITS
    while bits >= 0 and bound * 2**bits >= 2**SUM_BITS:
        bits -= 1
    if bits < 0:
        raise ValueError(f"target * max_weight * max_abs is {float(bound):.3g}, must be below 2**62")
    return bits


def to_fixed(values: Float32, fraction_bits: int) -> Int64:
    """round(values * 2**fraction_bits), ties to even: float32[n] to int64[n].

    Raises ValueError for values that are not finite or do not fit.
    """
    result = np.zeros(values.shape, np.int64)
    _accumulate(result, values, 1, fraction_bits)
    return result


def scale_to_fixed(scale: float, fraction_bits: int) -> int:
    """round(scale * 2**fraction_bits), ties to even: the integer by which int8 values of this scale enter a sum.

    Raises ValueError for a scale that is not finite.
    """
    if not isfinite(scale):
        raise ValueError(f"scale {scale} is not finite")
    fixed: int = round(Fraction(scale) * Fraction(2) ** fraction_bits)
    return fixed


class ChunkSum:
    """Weighted sum of one chunk over updates.

    Sums form a commutative group: an addition of weight w and one of -w undo each other, the order never matters. A
    call that raises ValueError leaves the sum undefined.
    """

    __slots__ = ("fraction_bits", "values")

    def __init__(self, num_elements: int, fraction_bits: int) -> None:
        self.values: Int64 = np.zeros(num_elements, np.int64)
        self.fraction_bits = fraction_bits

    def add(self, values: Float32, weight: int, shift: int = 0, start: int = 0) -> None:
        """Add weight * 2**-shift * values, float32[m], to elements [start, start + m).

        Raises ValueError for elements that are not there, and for values that are not finite or do not fit.
        """
        _accumulate(self._part(start, values.size), values, weight, self.fraction_bits - shift)

    def add_scaled(self, codes: Codes, scale: float, weight: int, shift: int = 0, start: int = 0) -> None:
        """Add weight * 2**-shift * codes * scale, integers[m] of at most 8 bits, the scale rounded once to fixed point.

        Raises ValueError for elements that are not there, and for a scale that does not fit.
        """
        part = self._part(start, codes.size)
        factor = scale_to_fixed(scale, self.fraction_bits - shift) * weight
        if _MAX_CODE * abs(factor) >= 2 ** (SUM_BITS + 1):
            raise ValueError("scale and weight do not fit the sum")
        _, integers = _buffers()
        for first, stop in _tiles(0, codes.size):
            scaled = integers[: stop - first]
            np.copyto(scaled, codes[first:stop])
            np.multiply(scaled, factor, out=scaled)
            np.add(part[first:stop], scaled, out=part[first:stop])

    def add_at(self, indices: Int64, values: Float32, weight: int, shift: int = 0) -> None:
        """Add weight * 2**-shift * values, float32[m], to the elements at indices int64[m], each of them once.

        Raises ValueError for elements that are not there, and for values that are not finite or do not fit.
        """
        if indices.size and not 0 <= int(indices.min()) <= int(indices.max()) < self.values.size:
            raise ValueError(f"indices lie outside a chunk of {self.values.size} elements")
        fixed = np.zeros(values.size, np.int64)
        _accumulate(fixed, values, weight, self.fraction_bits - shift)
        self.values[indices] += fixed

    def add_integers(self, integers: Int64, factor: int) -> None:
        """Add factor * integers, int64[n], which are fixed-point sums already. Raises ValueError for another shape."""
        if integers.shape != self.values.shape:
            raise ValueError(f"sum of {integers.size} elements, chunk of {self.values.size}")
        np.add(self.values, integers if factor == 1 else integers * factor, out=self.values)

    def clear(self) -> None:
        """Back to the empty sum."""
        self.values.fill(0)

    def _part(self, start: int, size: int) -> Int64:
        if start < 0 or start + size > self.values.size:
            raise ValueError(f"{size} elements from {start} on do not lie in a chunk of {self.values.size}")
        return self.values[start : start + size]


def finish(base: Float32, total: Int64, total_weight: int, fraction_bits: int) -> Float32:
    """New model chunk: base + total / (total_weight * 2**fraction_bits), in float64, rounded to float32 once.

    base: float32[n], total: int64[n]. Raises ValueError without weight, and for shapes that differ.
    """
    if not 0 < total_weight < MAX_TOTAL_WEIGHT:
        raise ValueError(f"total weight {total_weight} is not within 1 .. 2**53 - 1")
    if base.shape != total.shape:
        raise ValueError(f"base of {base.size} elements, sum of {total.size}")
    divisor = float(total_weight) * 2.0**fraction_bits
    result = np.empty(base.shape, np.float32)
    quotient = np.empty(min(_TILE, base.size), np.float64)
    for start, stop in _tiles(0, base.size):
        mean = quotient[: stop - start]
        np.true_divide(total[start:stop], divisor, out=mean)
        np.add(mean, base[start:stop], out=mean)
        np.copyto(result[start:stop], mean, casting="same_kind")
    return result


def _accumulate(total: Int64, values: Float32, weight: int, fraction_bits: int) -> None:
    if values.dtype != np.float32 or values.shape != total.shape:
        raise ValueError(f"chunk is {values.dtype}{list(values.shape)}, sum takes float32{list(total.shape)}")
    factor = np.float32(2.0**fraction_bits)
    floats, integers = _buffers()
    try:
        with np.errstate(over="raise", invalid="raise"):
            for start, stop in _tiles(0, values.size):
                scaled, fixed, part = floats[: stop - start], integers[: stop - start], total[start:stop]
                np.multiply(values[start:stop], factor, out=scaled)
                np.rint(scaled, out=scaled)
                np.copyto(fixed, scaled, casting="unsafe")
                if weight != 1:
                    np.multiply(fixed, weight, out=fixed)
                np.add(part, fixed, out=part)
    except FloatingPointError as error:
        raise ValueError("update holds values that are not finite or do not fit the sum") from error


def _tiles(start: int, stop: int) -> Iterator[tuple[int, int]]:
    for first in range(start, stop, _TILE):
        yield first, min(first + _TILE, stop)


_local = threading.local()


def _buffers() -> tuple[Float32, Int64]:
    """This thread's buffers, reused from call to call."""
    buffers: tuple[Float32, Int64] | None = getattr(_local, "buffers", None)
    if buffers is None:
        buffers = _local.buffers = (np.empty(_TILE, np.float32), np.empty(_TILE, np.int64))
    return buffers
