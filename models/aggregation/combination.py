"""Plans carried out on one chunk: from the updates' values to the mean delta, and from there to the new model.

Combinations are sums of fixed-point integers, so neither the order of updates nor the machine leaves a trace; each
division and rounding happens once, element by element. A plan that reduces the updates as they are works on their
float32 values, without fixed point. Shapes: N updates, K combinations, n elements of a chunk.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from models.aggregation.coordinates import reduce_rows
from models.aggregation.coordinates_torch import on_device
from models.aggregation.fixed_point import MAX_TOTAL_WEIGHT, ChunkSum, to_fixed
from models.aggregation.mixtures import Mixtures
from models.aggregation.plan import Plan
from models.aggregation.reduction import Reduction

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

TILE_BYTES = 1 << 20
"""Of the rows reduced at a time: they stay in the second-level cache. Does not change results."""
DEVICE_BYTES = 1 << 30
"""The same on an accelerator, which wants much at once."""


def combine_chunk(rows: Sequence[Float32 | None], plan: Plan, fraction_bits: int, device: str | None = None) -> Float64:
    """The mean delta float64[n] that the plan makes of one chunk of N updates, float32[n] each.

    A row may be None where the update's effective weight is 0. device: where torch reduces; by default numpy does, with
    the same bits. Raises ValueError for rows that do not fit the plan or each other, for values that are not finite or
    do not fit the sum, and for a device that is not there.
    """
    taken = [index for index, weight in enumerate(plan.effective_weights) if weight]
    present = [row for index in taken if (row := rows[index]) is not None]
    if len(rows) != len(plan.effective_weights) or len(present) != len(taken):
        raise ValueError(f"{len(rows)} rows, {len(present)} of those taken in, do not fit a plan that takes {taken}")
    if not present or any(row.dtype != np.float32 or row.shape != present[0].shape for row in present):
        raise ValueError("rows must be float32 vectors of one length, at least one")
    plan = plan.of_columns(taken)
    if plan.reduction is None:
        total = ChunkSum(present[0].size, fraction_bits)
        for values, (coefficient, shift) in zip(present, plan.terms[0], strict=True):
            total.add(values, coefficient, shift)
        return mean_of(total.values, plan.divisor, fraction_bits)
    reducer = _Reducer(plan.reduction, device)
    if plan.is_selection:
        return reducer.reduce_selected([present[row.index(1)] for row in plan.rows])
    return reducer.reduce_mixtures(present, plan, fraction_bits)


def mean_of(total: Int64, divisor: int, fraction_bits: int) -> Float64:
    """total / (divisor * 2**fraction_bits) in float64, of an exact sum int64[n]: for plans of one combination, whose
    sum has been accumulated update by update.

    Raises ValueError for a divisor that float64 does not hold exactly.
    """
    mean: Float64 = total / _divisor(divisor, fraction_bits)
    return mean


def next_chunk(base: Float32, delta: Float64) -> Float32:
    """base float32[n] plus delta float64[n], rounded to float32 once. Raises ValueError for shapes that differ."""
    if base.shape != delta.shape:
        raise ValueError(f"base of {base.size} elements, delta of {delta.size}")
    return (base + delta).astype(np.float32)


def _divisor(divisor: int, fraction_bits: int) -> float:
    if not 0 < divisor < MAX_TOTAL_WEIGHT:
        raise ValueError(f"divisor {divisor} is not within 1 .. 2**53 - 1")
    return float(divisor) * 2.0**fraction_bits


class _Reducer:
    """A reduction, where it is computed, and in how large parts: in the processor's cache, or all at once."""

    def __init__(self, reduction: Reduction, device: str | None) -> None:
        self._reduction = reduction
        self._reduce = reduce_rows if device is None else on_device(device)
        self._part_bytes = TILE_BYTES if device is None else DEVICE_BYTES

    def reduce_selected(self, rows: Sequence[Float32]) -> Float64:
        """Of updates as they are."""

        def reduced(part: slice) -> Float64:
            return self._reduce(np.stack([row[part] for row in rows]), self._reduction, 1.0)

        return _in_parts(reduced, rows[0].size, self._part_bytes // (4 * len(rows)))

    def reduce_mixtures(self, rows: Sequence[Float32], plan: Plan, fraction_bits: int) -> Float64:
        """Of combinations, as exact integers. An update stands once for each shift that it enters with."""
        taken = [
            {(index, shift): coefficient for index, (coefficient, shift) in enumerate(terms) if coefficient}
            for terms in plan.terms
        ]
        entering = sorted(set().union(*taken))
        coefficients = [[row.get(both, 0) for both in entering] for row in taken]
        mixtures, scale = Mixtures(coefficients), _divisor(plan.divisor, fraction_bits)

        def reduced(part: slice) -> Float64:
            fixed = np.stack([to_fixed(rows[index][part], fraction_bits - shift) for index, shift in entering])
            return self._reduce(mixtures.of(fixed), self._reduction, scale)

        return _in_parts(reduced, rows[0].size, self._part_bytes // (8 * (len(entering) + len(coefficients))))


def _in_parts(work: Callable[[slice], Float64], size: int, part: int) -> Float64:
    """float64[size], made by `work` in parts of about `part` elements."""
    length = max(2048, part // 16 * 16)
    result = np.empty(size, np.float64)
    for start in range(0, size, length):
        elements = slice(start, min(start + length, size))
        result[elements] = work(elements)
    return result
