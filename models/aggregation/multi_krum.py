"""Multi-Krum: the mean of the updates that lie closest to their neighbours. Source: Blanchard et al., 2017, "Machine
Learning with Adversaries: Byzantine Tolerant Gradient Descent", sections 4 and 5.

An update's score is the sum of the squared distances to its n - f - 2 nearest others; the m updates of least score
are averaged, by their weights as in federated averaging (the paper has equal weights). Holds against f arbitrary
updates if 2 f + 2 < n. A weight is a claim: what one can gain by it, once selected, is bounded by the round's
`max_weight`. Shapes: N updates.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from models.aggregation.gram import squared_distances
from models.aggregation.selection import Selection


def scores(gram: NDArray[np.float64], num_byzantine: int) -> tuple[float, ...]:
    """Krum score of each row. Raises ValueError if 2 * num_byzantine + 2 >= N, or if the matrix is not finite."""
    count = gram.shape[0]
    if gram.shape != (count, count):
        raise ValueError(f"Gram matrix has shape {gram.shape}")
    if num_byzantine < 0 or 2 * num_byzantine + 2 >= count:
        least = 2 * num_byzantine + 2
        raise ValueError(f"multi-Krum against {num_byzantine} Byzantine updates needs more than {least}, got {count}")
    if not np.isfinite(gram).all():
        raise ValueError("Gram matrix is not finite")
    distances = squared_distances(gram)
    neighbours = count - num_byzantine - 2
    others = (np.delete(distances[row], row) for row in range(count))
    return tuple(fsum(np.sort(row)[:neighbours].tolist()) for row in others)


def select(gram: NDArray[np.float64], num_byzantine: int, num_selected: int) -> NDArray[np.int64]:
    """Rows of the `num_selected` least scores, ascending; among equal scores the earlier row wins.

    gram: float64[N, N] of the deltas, rows ordered by record digest. Raises ValueError as `scores`, and if
    num_selected is not 1 .. N.
    """
    ranked = np.argsort(np.array(scores(gram, num_byzantine)), kind="stable")
    if not 1 <= num_selected <= ranked.size:
        raise ValueError(f"cannot select {num_selected} of {ranked.size} updates")
    return np.sort(ranked[:num_selected]).astype(np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiKrum:
    """Rule `multi_krum`. num_byzantine: f. num_selected: m; by default n - f of the round's n updates."""

    name: ClassVar[str] = "multi_krum"
    needs_measure: ClassVar[bool] = True

    num_byzantine: int
    num_selected: int | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for parameters that no round could satisfy."""
        if self.num_byzantine < 0 or (self.num_selected is not None and self.num_selected < 1):
            raise ValueError(f"num_byzantine {self.num_byzantine} or num_selected {self.num_selected} is too small")

    def check_quorum(self, quorum: int) -> None:
        """Raises ValueError if a round of `quorum` updates would be too small for the promise."""
        least, most = 2 * self.num_byzantine + 2, quorum - self.num_byzantine
        if quorum <= least:
            raise ValueError(f"num_byzantine {self.num_byzantine} needs a quorum above {least}, got {quorum}")
        if self.num_selected is not None and self.num_selected > most:
            raise ValueError(f"num_selected {self.num_selected} is more than quorum - num_byzantine = {most}")

    def select(self, weights: Sequence[int], gram: NDArray[np.float64] | None = None) -> Selection:
        """The selected updates by their weights, the others with 0. Raises ValueError without their Gram matrix."""
        if gram is None or gram.shape[0] != len(weights):
            raise ValueError("multi_krum needs the Gram matrix of the round's updates")
        num_selected = self.num_selected if self.num_selected is not None else len(weights) - self.num_byzantine
        chosen = {int(row) for row in select(gram, self.num_byzantine, num_selected)}
        return Selection(
            weights=tuple(weight if row in chosen else 0 for row, weight in enumerate(weights)),
            scores=scores(gram, self.num_byzantine),
        )
