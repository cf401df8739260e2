"""Coordinate-wise reductions: K values of each element become one, by their order.

Values are sorted and the chosen ones added up in ascending order, float32 values in float64, fixed-point integers as
integers; one division ends it. So a result depends on the values alone, neither on the order of rows nor on the
machine, and never is a negative zero: sums start at 0. Shapes: K rows, n elements.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.aggregation.reduction import MeanAroundMedian, Reduction, TrimmedMean
from models.aggregation.sorting import sort_rows

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]


class Reduce(Protocol):
    """Reduces rows to the quotient of a sum and a divisor. Two implementations with the same bits: this module's, and
    that of `coordinates_torch` for an accelerator."""

    def __call__(self, rows: NDArray[Any], reduction: Reduction, divisor: float) -> Float64: ...


def reduce_rows(rows: NDArray[Any], reduction: Reduction, divisor: float = 1.0) -> Float64:
    """The reduction of rows [K, n], float32 or int64, divided by `divisor`: float64[n]. Overwrites the rows.

    Integers: |values| and the sum of those added up are below 2**62. Raises ValueError for a float32 value that is not
    finite, and for fewer rows than the reduction needs.
    """
    if rows.dtype == np.float32 and rows.size and not np.isfinite([rows.min(), rows.max()]).all():
        raise ValueError("update holds values that are not finite")
    count = reduction.num_added(len(rows))
    chosen = places(reduction, len(rows))
    needed = range(len(rows)) if isinstance(reduction, MeanAroundMedian) else chosen
    ordered = sort_rows(rows, needed)
    total: NDArray[Any] = np.zeros(rows.shape[1], np.float64 if rows.dtype == np.float32 else np.int64)
    if isinstance(reduction, MeanAroundMedian):
        _add_around_median(total, ordered, reduction.num_kept)
    else:
        for place in chosen:
            np.add(total, ordered[place], out=total)
    quotient: Float64 = total / (count * divisor)
    return quotient


def places(reduction: Reduction, count: int) -> Sequence[int]:
    """Which of `count` ordered values a reduction adds up; of MeanAroundMedian those that make the median."""
    if isinstance(reduction, TrimmedMean):
        return range(reduction.num_trimmed, count - reduction.num_trimmed)
    return sorted({(count - 1) // 2, count // 2})


def _add_around_median(total: NDArray[Any], ordered: Sequence[NDArray[Any]], num_kept: int) -> None:
    """Add the `num_kept` values closest to the median: a window of neighbours, which moves up as long as the value
    that enters lies closer than the one that leaves. Compared without a division: m - a > b - m is 2 m > a + b."""
    wide = [row.astype(total.dtype) for row in ordered]
    count = len(wide)
    twice_median = wide[(count - 1) // 2] + wide[count // 2]
    start = np.zeros(total.shape, np.int64)
    for leaving in range(count - num_kept):
        start += twice_median > wide[leaving] + wide[leaving + num_kept]
    for place, row in enumerate(wide):
        kept = (start <= place) & (place < start + num_kept)
        np.add(total, row, out=total, where=kept)
