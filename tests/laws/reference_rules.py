"""Rules as the papers print them: on the updates themselves, slow, without Gram matrices or fixed point.

Where a comparison decides (Krum, mixing, medians) arithmetic is exact; the rest is float64. Shapes: N updates.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import sqrt

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Exact = list[list[Fraction]]


def exact(rows: Matrix) -> Exact:
    """The rows as fractions."""
    return [[Fraction(float(value)) for value in row] for row in rows]


def mean(rows: Exact, weights: Sequence[int] | None = None) -> list[Fraction]:
    """Mean of each column."""
    shares = list(weights) if weights is not None else [1] * len(rows)
    return [
        sum((weight * value for weight, value in zip(shares, column, strict=True)), Fraction(0)) / sum(shares)
        for column in zip(*rows, strict=True)
    ]


def median(column: Sequence[Fraction]) -> Fraction:
    """Middle value, or the mean of both."""
    ordered = sorted(column)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


def by_column(rows: Exact, reduce: Callable[[Sequence[Fraction]], Fraction]) -> list[Fraction]:
    """A reduction of each column."""
    return [reduce(column) for column in zip(*rows, strict=True)]


def trimmed(num_byzantine: int) -> Callable[[Sequence[Fraction]], Fraction]:
    """Mean without the ends."""

    def reduce(column: Sequence[Fraction]) -> Fraction:
        kept = sorted(column)[num_byzantine : len(column) - num_byzantine]
        return sum(kept, Fraction(0)) / len(kept)

    return reduce


def around_median(num_kept: int) -> Callable[[Sequence[Fraction]], Fraction]:
    """Mean of the values closest to the median, of equally close ones the smaller."""

    def reduce(column: Sequence[Fraction]) -> Fraction:
        middle = median(column)
        kept = sorted(column, key=lambda value: (abs(value - middle), value))[:num_kept]
        return sum(kept, Fraction(0)) / num_kept

    return reduce


def distance(first: Sequence[Fraction], second: Sequence[Fraction]) -> Fraction:
    """Squared Euclidean distance."""
    return sum(((a - b) ** 2 for a, b in zip(first, second, strict=True)), Fraction(0))


def krum_scores(rows: Exact, num_neighbours: int) -> list[Fraction]:
    """Sum of the distances to the nearest others."""
    return [
        sum(sorted(distance(row, other) for j, other in enumerate(rows) if j != i)[:num_neighbours], Fraction(0))
        for i, row in enumerate(rows)
    ]


def multi_krum(rows: Exact, num_byzantine: int, num_selected: int, weights: Sequence[int]) -> list[Fraction]:
    """Weighted mean of the rows of least score."""
    scores = krum_scores(rows, len(rows) - num_byzantine - 2)
    chosen = sorted(range(len(rows)), key=lambda row: (scores[row], row))[:num_selected]
    return mean([rows[row] for row in chosen], [weights[row] for row in chosen])


def bulyan(rows: Exact, num_byzantine: int) -> list[Fraction]:
    """Picks by Krum, then the mean around the median."""
    left, picked = list(rows), []
    for _ in range(len(rows) - 2 * num_byzantine):
        scores = krum_scores(left, max(len(left) - num_byzantine - 2, 1))
        picked.append(left.pop(scores.index(min(scores))))
    return by_column(picked, around_median(len(picked) - 2 * num_byzantine))


def mixed(rows: Exact, num_byzantine: int) -> Exact:
    """Each row the mean of its nearest, itself first, then by distance and place."""
    result = []
    for i, row in enumerate(rows):
        nearest = sorted(range(len(rows)), key=lambda j: (j != i, distance(row, rows[j]), j))
        result.append(mean([rows[j] for j in nearest[: len(rows) - num_byzantine]]))
    return result


def geometric_median(rows: Matrix, smoothing: float, num_iterations: int) -> Matrix:
    """Weiszfeld's iteration from 0."""
    point = np.zeros(rows.shape[1])
    for _ in range(num_iterations):
        shares = np.array([1 / max(smoothing, sqrt(((row - point) ** 2).sum())) for row in rows])
        point = (shares[:, None] * rows).sum(axis=0) / shares.sum()
    return point


def centered_clipping(rows: Matrix, radius: float, num_iterations: int) -> Matrix:
    """Steps from 0 by clipped differences."""
    point = np.zeros(rows.shape[1])
    for _ in range(num_iterations):
        differences = [row - point for row in rows]
        point = point + np.mean([clip(difference, radius) for difference in differences], axis=0)
    return point


def clip(row: Matrix, max_norm: float) -> Matrix:
    """The row, shortened to the norm if it is longer."""
    norm = sqrt((row**2).sum())
    return row if norm <= max_norm else row * (max_norm / norm)


def fltrust(rows: Matrix, root: int) -> Matrix:
    """Mean by trust of the rows, brought to the root's norm."""
    norms = [sqrt((row**2).sum()) for row in rows]
    if norms[root] == 0:
        return np.zeros(rows.shape[1])
    trusts = [
        1.0 if i == root else max(0.0, float(row @ rows[root]) / (norm * norms[root])) if norm else 0.0
        for i, (row, norm) in enumerate(zip(rows, norms, strict=True))
    ]
    directions = [
        trust * row * min(64.0, norms[root] / norm) if norm else 0.0 * row
        for trust, row, norm in zip(trusts, rows, norms, strict=True)
    ]
    total: Matrix = np.sum(directions, axis=0) / sum(trusts)
    return total
