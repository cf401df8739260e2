"""Integer combinations of many rows at once: K sums over N rows of fixed-point integers, exact by two ways.

Combinations often share most of their terms (mixing with neighbours leaves few out), so what most have in common is
summed once, and each adds what is its own. Where that is much, rows are multiplied as matrices instead: integers are
cut in limbs so short that every product and partial sum is an integer below 2**53, which float64 adds exactly in
whatever order BLAS does. Both give the same integers; where they meet was measured
(tests/benchmarks/aggregation_kernels.py). Sums may wrap around on the way: what comes out fits. Shapes: n elements.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Int64 = NDArray[np.int64]

MAX_OWN_TERMS = 12
"""More terms of its own than these for each combination, and a product of matrices is faster."""


class Mixtures:
    """Combinations with coefficients [K][N], at least 0."""

    def __init__(self, coefficients: Sequence[Sequence[int]]) -> None:
        common = [Counter(column).most_common(1)[0][0] for column in zip(*coefficients, strict=True)]
        self._shared = [(index, factor) for index, factor in enumerate(common) if factor]
        self._own = [
            [(index, value - common[index]) for index, value in enumerate(row) if value != common[index]]
            for row in coefficients
        ]
        self._matrix = np.array(coefficients, np.float64)
        self._limb_bits = 53 - max(map(sum, coefficients)).bit_length()

    def of(self, rows: Int64) -> Int64:
        """int64[K, n] of rows int64[N, n]."""
        few = sum(map(len, self._own)) <= MAX_OWN_TERMS * len(self._own)
        return self.by_shared_terms(rows) if few or self._limb_bits < 1 else self.by_products(rows)

    def by_shared_terms(self, rows: Int64) -> Int64:
        """One addition for each term that is not shared."""
        result = np.zeros((len(self._own), rows.shape[1]), np.int64)
        _add(result[0], rows, self._shared)
        result[1:] = result[0]
        for combination, terms in zip(result, self._own, strict=True):
            _add(combination, rows, terms)
        return result

    def by_products(self, rows: Int64) -> Int64:
        """A product of matrices for each limb, least first; the last one keeps the sign."""
        bits = self._limb_bits
        num_limbs = -(-_num_bits(rows) // bits)
        result = np.zeros((len(self._own), rows.shape[1]), np.int64)
        limb, rest = np.empty(rows.shape, np.float64), rows
        for number in range(num_limbs):
            last = number == num_limbs - 1
            np.copyto(limb, rest if last else rest & ((1 << bits) - 1))
            result += (self._matrix @ limb).astype(np.int64) << (bits * number)
            if not last:
                rest = rest >> bits
        return result


def _num_bits(rows: Int64) -> int:
    """Bits of the largest absolute value, with its sign."""
    return 1 + (max(int(rows.max()), -int(rows.min())).bit_length() if rows.size else 0)


def _add(total: Int64, rows: Int64, terms: Sequence[tuple[int, int]]) -> None:
    """Add factor * rows[index] for each (index, factor)."""
    for index, factor in terms:
        if factor == 1:
            np.add(total, rows[index], out=total)
        elif factor == -1:
            np.subtract(total, rows[index], out=total)
        else:
            np.add(total, rows[index] * factor, out=total)
