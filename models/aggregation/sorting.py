"""Sorting of many short columns: K values for each of n elements, K small, n large.

Up to 32 rows a network of comparators runs over whole rows, each one a minimum and a maximum that the processor takes
many elements at a time for; beyond, columns are copied together and sorted by numpy. Where the two meet was measured
(tests/benchmarks/aggregation_kernels.py). Source of the network: Batcher, 1968, "Sorting networks and their
applications", odd-even merge sort. The order of values that compare equal (0.0 and -0.0) is left open.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

MAX_NETWORK_ROWS = 32

_Number = TypeVar("_Number", np.float32, np.int64)


def sort_rows(rows: NDArray[_Number], needed: Sequence[int]) -> list[NDArray[_Number]]:
    """Rows [K, n] so that each column ascends; overwrites its argument. Only the `needed` rows of the result count."""
    if len(rows) > MAX_NETWORK_ROWS:
        columns = np.ascontiguousarray(rows.T)
        columns.sort(axis=1)
        np.copyto(rows, columns.T)
        return list(rows)
    ordered, spare = list(rows), np.empty_like(rows[0])
    for low, high, low_counts, high_counts in network(len(rows), tuple(needed)):
        first, second = ordered[low], ordered[high]
        if low_counts and high_counts:
            np.minimum(first, second, out=spare)
            np.maximum(first, second, out=second)
            ordered[low], spare = spare, first
        elif low_counts:
            np.minimum(first, second, out=first)
        else:
            np.maximum(first, second, out=second)
    return ordered


@lru_cache(maxsize=64)
def network(count: int, needed: tuple[int, ...]) -> tuple[tuple[int, int, bool, bool], ...]:
    """Comparators (low row, high row, whether the minimum is used, whether the maximum is), in order.

    Sorts `count` rows as far as the `needed` ones go: what nobody looks at afterwards is left out.
    """
    used, kept = set(needed), []
    for low, high in reversed(_odd_even_merge_sort(count)):
        if low in used or high in used:
            kept.append((low, high, low in used, high in used))
            used |= {low, high}
    return tuple(reversed(kept))


def _odd_even_merge_sort(count: int) -> list[tuple[int, int]]:
    """Comparators for any number of rows: those of the next power of two without the rows that do not exist."""
    comparators: list[tuple[int, int]] = []
    merged = 1
    while merged < count:
        distance = merged
        while distance >= 1:
            for start in range(distance % merged, count - distance, 2 * distance):
                comparators += [
                    (low, low + distance)
                    for low in range(start, min(start + distance, count - distance))
                    if low // (2 * merged) == (low + distance) // (2 * merged)
                ]
            distance //= 2
        merged *= 2
    return comparators
