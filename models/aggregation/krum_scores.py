"""Krum scores: how far an update lies from its nearest neighbours. Source: Blanchard et al., 2017, "Machine Learning
with Adversaries: Byzantine Tolerant Gradient Descent", section 4.

An update's score is the sum of the squared distances to its n - f - 2 nearest others, as in the paper (some
implementations take n - f - 1). Shapes: N updates.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.aggregation.gram import squared_distances


def scores(gram: NDArray[np.float64], num_byzantine: int) -> tuple[float, ...]:
    """Krum score of each row. Raises ValueError if 2 * num_byzantine + 2 >= N, or if the matrix is not finite."""
    count = gram.shape[0]
    if gram.shape != (count, count):
        raise ValueError(f"Gram matrix has shape {gram.shape}")
    check_count(count, num_byzantine)
    if not np.isfinite(gram).all():
        raise ValueError("Gram matrix is not finite")
    return scores_of(squared_distances(gram), count - num_byzantine - 2)


def scores_of(distances: NDArray[np.float64], num_neighbours: int) -> tuple[float, ...]:
    """Of each row the sum of its `num_neighbours` least squared distances, itself left out, added up ascending."""
    kept = distances.copy()
    np.fill_diagonal(kept, -1.0)
    ascending = np.sort(kept, axis=1)[:, 1 : num_neighbours + 1]
    if not ascending.size:
        return (0.0,) * len(distances)
    return tuple(np.add.accumulate(ascending, axis=1)[:, -1].tolist())


def least(values: Sequence[float], num_selected: int) -> list[int]:
    """Rows of the `num_selected` least scores, ascending; among equal scores the earlier row wins.

    Raises ValueError if num_selected is not 1 .. N.
    """
    if not 1 <= num_selected <= len(values):
        raise ValueError(f"cannot select {num_selected} of {len(values)} updates")
    ranked = sorted(range(len(values)), key=lambda row: values[row])
    return sorted(ranked[:num_selected])


def tolerated(num_updates: int, num_byzantine: int) -> int:
    """f if Krum holds against f of so many updates, otherwise 0."""
    return num_byzantine if 2 * num_byzantine + 2 < num_updates else 0


def check_count(count: int, num_byzantine: int) -> None:
    """Raises ValueError unless 2 f + 2 < n."""
    if num_byzantine < 0 or 2 * num_byzantine + 2 >= count:
        bound = 2 * num_byzantine + 2
        raise ValueError(f"Krum against {num_byzantine} Byzantine updates needs more than {bound}, got {count}")
