"""What admission must know of a chunk's content, in one pass over memory."""

from collections.abc import Iterator
from math import inf, isfinite

import numpy as np
from numpy.typing import NDArray

_TILE = 16384
"""Elements summed at a time. Part of the result: numpy sums pairwise within a tile, the tiles are added in order."""


Numbers = tuple[bool, float, float]
"""finite, max_abs, sum_of_squares."""


def inspect(chunk: NDArray[np.float32]) -> Numbers:
    """(finite, max_abs, sum_of_squares) of float32[n]; squares are taken and summed in float64, the same on every
    machine.

    A chunk with NaN or infinity gives (False, inf, inf). Add the sums of an update's chunks in chunk order: the
    square root is its norm.
    """
    if chunk.dtype != np.float32:
        raise ValueError(f"chunk is {chunk.dtype}, not float32")
    if not chunk.size:
        return True, 0.0, 0.0
    # As the methods of the array do it, without their way through Python: a third of the time for a small chunk.
    high, low = float(np.maximum.reduce(chunk, axis=None)), float(np.minimum.reduce(chunk, axis=None))
    if not (isfinite(high) and isfinite(low)):
        return False, inf, inf
    sum_of_squares = 0.0
    buffer = np.empty(min(_TILE, chunk.size), np.float64)
    for start in range(0, chunk.size, _TILE):
        tile = chunk[start : start + _TILE]
        squares = buffer[: tile.size]
        np.copyto(squares, tile)
        np.multiply(squares, squares, out=squares)
        sum_of_squares += float(np.add.reduce(squares))
    return True, max(0.0, high, -low), sum_of_squares


def inspect_rows(chunks: NDArray[np.float32]) -> Iterator[Numbers]:
    """What `inspect` gives of each row of float32[k, n], to the bit: for many small chunks at once, each of which alone
    takes ten times what its numbers do. Raises ValueError for rows that are empty or longer than a tile."""
    if not 1 <= chunks.shape[1] <= _TILE:
        raise ValueError(f"rows of {chunks.shape[1]} elements; there are 1 to {_TILE}")
    highs, lows = np.maximum.reduce(chunks, axis=1).tolist(), np.minimum.reduce(chunks, axis=1).tolist()
    squares = chunks.astype(np.float64)
    np.multiply(squares, squares, out=squares)
    for high, low, sum_of_squares in zip(highs, lows, np.add.reduce(squares, axis=1).tolist(), strict=True):
        if isfinite(high) and isfinite(low):
            yield True, max(0.0, high, -low), 0.0 + sum_of_squares
        else:
            yield False, inf, inf
