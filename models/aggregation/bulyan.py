"""Bulyan over Krum: a majority of trustworthy updates, and of each coordinate the values around their median.

Source: El Mhamdi, Guerraoui and Rouault, 2018, "The Hidden Vulnerability of Distributed Learning in Byzantium", section
4.

Krum picks an update theta = n - 2 f times, each time among those not yet picked; of each coordinate the theta - 2 f
values of the picked closest to their median are averaged. Holds against f arbitrary updates if n >= 4 f + 3. With r
updates left Krum looks at the r - f - 2 nearest others, at least at one. Weights are not looked at. Shapes: N updates.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from models.aggregation.gram import squared_distances
from models.aggregation.krum_scores import least, scores, scores_of
from models.aggregation.plan import (
    DeferredRule,
    Gram,
    Measure,
    Plan,
    RoundUpdates,
    check_breakdown,
    measured,
    unit_rows,
)
from models.aggregation.reduction import MeanAroundMedian


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulyan(DeferredRule):
    """Rule `bulyan`. num_byzantine: f."""

    name: ClassVar[str] = "bulyan"
    measure: ClassVar[Measure] = Measure.GRAM

    num_byzantine: int

    def __post_init__(self) -> None:
        """Raises ValueError for a negative f."""
        if self.num_byzantine < 0:
            raise ValueError(f"num_byzantine {self.num_byzantine} is below 0")

    def breakdown_point(self, num_updates: int) -> int:
        """f, if 4 f + 3 <= n."""
        return self.num_byzantine if 4 * self.num_byzantine + 3 <= num_updates else 0

    def check_quorum(self, quorum: int) -> None:
        """Raises ValueError unless 4 f + 3 <= quorum."""
        check_breakdown(self.name, self.num_byzantine, (quorum - 3) // 4, quorum)

    def coefficient_bound(self, target: int, max_weight: int) -> int:
        """All values that are averaged, of the largest round."""
        return target

    def plan(self, updates: RoundUpdates, gram: Gram | None = None) -> Plan:
        """The picked updates as they are, and the mean around their median; scores are Krum's of all.

        Raises ValueError for too few updates.
        """
        gram, count = measured(gram, updates), len(updates)
        self.check_quorum(count)
        its_scores = scores(gram, self.num_byzantine)
        num_picked = count - 2 * self.num_byzantine
        rows = unit_rows(picks(gram, self.num_byzantine, num_picked), count)
        reduction = MeanAroundMedian(num_kept=num_picked - 2 * self.num_byzantine)
        return Plan(rows=rows, divisor=1, reduction=reduction, scores=its_scores)


def picks(gram: Gram, num_byzantine: int, num_picked: int) -> list[int]:
    """Rows that Krum picks one after the other, ascending."""
    distances, left = squared_distances(gram), list(range(len(gram)))
    picked: list[int] = []
    while len(picked) < num_picked:
        among = distances[np.ix_(left, left)]
        neighbours = max(len(left) - num_byzantine - 2, 1)
        picked.append(left.pop(least(scores_of(among, neighbours), 1)[0]))
    return sorted(picked)
