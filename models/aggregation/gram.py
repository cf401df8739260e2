"""Gram matrices of updates, chunk by chunk, with the same bits on every machine.

A plain matrix product depends in its last bits on the kernel that BLAS picks for the processor, and a tie in a rule
that compares distances could then fall one way here and the other way there. So each row of a tile is taken to 40
bits of its own largest element and split in two integers of 20 bits: every product and partial sum of the three
products is an integer below 2**53, exact in whatever order BLAS adds. What remains are a few float64 operations in a
fixed order. Source of the splitting: Ozaki et al., 2012, "Error-free transformations of matrix multiplication". The
result is within 2**-38 * n * max|x_i| * max|x_j| of the true product.

Distances need deltas, not models: of large nearby vectors nothing is left after subtraction. Shapes: N updates, n
elements.
"""

from collections.abc import Iterable, Sequence
from math import fsum

import numpy as np
from numpy.typing import NDArray

Gram = NDArray[np.float64]

_TILE = 4096
"""Elements multiplied at a time: 2**20 * 2**20 * 2**12 < 2**53. Part of the result."""
_LIMB_BITS = 20


def partial_gram(rows: Sequence[NDArray[np.float32]]) -> Gram:
    """Gram matrix float64[N, N] of one chunk of N updates, each float32[n], ordered by record digest.

    An entry depends on its two rows alone. Raises ValueError if shapes differ or an element is not finite.
    """
    count = len(rows)
    size = rows[0].size if rows else 0
    if any(row.dtype != np.float32 or row.shape != (size,) for row in rows):
        raise ValueError("rows must be float32 vectors of one length")
    gram: Gram = np.zeros((count, count), np.float64)
    buffers = np.empty((2, count, min(_TILE, size)), np.float64)
    for start in range(0, size, _TILE):
        tile, high = buffers[:, :, : min(_TILE, size - start)]
        for index, row in enumerate(rows):
            np.copyto(tile[index], row[start : start + _TILE])
        gram += _tile_gram(tile, high)
    return gram


def partial_norm(row: NDArray[np.float32]) -> float:
    """Squared norm of one chunk float32[n] of an update: its diagonal entry of `partial_gram`, whatever the other rows.

    Raises ValueError for another type or shape, and for values that are not finite.
    """
    return float(partial_gram([row])[0, 0])


def total_gram(partials: Iterable[Gram]) -> Gram:
    """Sum of the chunks' matrices, to be given in chunk order. Raises ValueError without chunks."""
    total: Gram | None = None
    for partial in partials:
        total = partial.copy() if total is None else total + partial
    if total is None:
        raise ValueError("a Gram matrix needs at least one chunk")
    return total


def squared_distances(gram: Gram) -> Gram:
    """Squared Euclidean distances float64[N, N] between the rows behind a Gram matrix, not below 0."""
    norms = np.diagonal(gram)
    distances: Gram = np.maximum(norms[:, None] + norms[None, :] - 2.0 * gram, 0.0)
    return distances


def squared_distances_to(gram: Gram, coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
    """Squared distances float64[N] of the rows to their own combination v = sum_i coefficients[i] * x_i, not below 0.

    |x_i - v|^2 = G_ii - 2 (G c)_i + c G c, added up row by row.
    """
    products = np.add.accumulate(gram * coefficients[:, None], axis=0)[-1]
    norm = fsum((coefficients * products).tolist())
    distances: NDArray[np.float64] = np.maximum(np.diagonal(gram) - 2.0 * products + norm, 0.0)
    return distances


def _tile_gram(tile: Gram, high: Gram) -> Gram:
    """Gram matrix of float64[N, n <= 4096]; overwrites the tile and `high`, a buffer of its shape."""
    largest = np.maximum(tile.max(axis=1), -tile.min(axis=1))
    if not np.isfinite(largest).all():
        raise ValueError("update holds values that are not finite")
    _, exponents = np.frexp(largest)
    tile *= np.ldexp(1.0, 2 * _LIMB_BITS - exponents)[:, None]
    np.rint(tile, out=tile)
    np.multiply(tile, 2.0**-_LIMB_BITS, out=high)
    np.rint(high, out=high)
    high *= 2.0**_LIMB_BITS
    tile -= high
    high_high, high_low, low_low = high @ high.T, high @ tile.T, tile @ tile.T
    integers = (high_high + (high_low + high_low.T)) + low_low
    result: Gram = np.ldexp(integers, exponents[:, None] + exponents[None, :] - 4 * _LIMB_BITS)
    return result
