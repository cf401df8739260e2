"""Plans carried out on one chunk: from the updates' values to the mean delta, and from there to the new model.

Combinations are sums of fixed-point integers, so neither the order of updates nor the machine leaves a trace; each
division and rounding happens once, element by element. Shapes: N updates, n elements of a chunk.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.aggregation.fixed_point import MAX_TOTAL_WEIGHT, ChunkSum
from models.aggregation.plan import Plan

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]


def combine_chunk(rows: Sequence[Float32 | None], plan: Plan, fraction_bits: int) -> Float64:
    """The mean delta float64[n] that the plan makes of one chunk of N updates, float32[n] each.

    A row may be None where the update's effective weight is 0. Raises ValueError for rows that do not fit the plan or
    each other, and for values that are not finite.
    """
    present = [row for row, weight in zip(rows, plan.effective_weights, strict=True) if weight and row is not None]
    if len(present) != sum(weight > 0 for weight in plan.effective_weights):
        raise ValueError("an update that the plan takes in is missing")
    size = present[0].size
    (coefficients,) = plan.rows
    total = ChunkSum(size, fraction_bits)
    for row, coefficient in zip(rows, coefficients, strict=True):
        if coefficient and row is not None:
            total.add(row, coefficient)
    return mean_of(total.values, plan.divisor, fraction_bits)


def mean_of(total: Int64, divisor: int, fraction_bits: int) -> Float64:
    """total / (divisor * 2**fraction_bits) in float64, of an exact sum int64[n]: for plans of one combination, whose
    sum has been accumulated update by update.

    Raises ValueError for a divisor that float64 does not hold exactly.
    """
    if not 0 < divisor < MAX_TOTAL_WEIGHT:
        raise ValueError(f"divisor {divisor} is not within 1 .. 2**53 - 1")
    mean: Float64 = total / (float(divisor) * 2.0**fraction_bits)
    return mean


def next_chunk(base: Float32, delta: Float64) -> Float32:
    """base float32[n] plus delta float64[n], rounded to float32 once. Raises ValueError for shapes that differ."""
    if base.shape != delta.shape:
        raise ValueError(f"base of {base.size} elements, delta of {delta.size}")
    return (base + delta).astype(np.float32)
