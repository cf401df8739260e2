"""Federated averaging: the mean of all updates, weighted by examples. Source: McMahan et al., 2017,
"Communication-Efficient Learning".

Breaks down with one Byzantine update of unbounded norm; a round's `max_norm` and `max_weight` bound what one update
can do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from models.aggregation.selection import Selection


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightedMean:
    """Rule `weighted_mean`; no parameters. Linear: updates can be added as they arrive."""

    name: ClassVar[str] = "weighted_mean"
    needs_measure: ClassVar[bool] = False

    def check_quorum(self, quorum: int) -> None:
        """Any quorum of at least one will do. Raises ValueError."""
        if quorum < 1:
            raise ValueError(f"quorum {quorum} must be at least 1")

    def select(self, weights: Sequence[int], gram: NDArray[np.float64] | None = None) -> Selection:
        """Every update, by its weight; the Gram matrix is not looked at."""
        return Selection(weights=tuple(weights))
