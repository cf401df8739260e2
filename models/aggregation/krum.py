"""Krum: the one update that lies closest to its neighbours. Source: Blanchard et al., 2017, "Machine Learning with
Adversaries: Byzantine Tolerant Gradient Descent", section 4.

An update's score is the sum of the squared distances to its n - f - 2 nearest others, as in the paper; the one of least
score is the aggregate, among equals the first by digest. Holds against f arbitrary updates if 2 f + 2 < n. Shapes: N
updates.
"""

from dataclasses import dataclass
from typing import ClassVar

from models.aggregation.krum_scores import least, scores, tolerated
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Krum(DeferredRule):
    """Rule `krum`. num_byzantine: f."""

    name: ClassVar[str] = "krum"
    measure: ClassVar[Measure] = Measure.GRAM

    num_byzantine: int

    def __post_init__(self) -> None:
        """Raises ValueError for a negative f."""
        if self.num_byzantine < 0:
            raise ValueError(f"num_byzantine {self.num_byzantine} is below 0")

    def breakdown_point(self, num_updates: int) -> int:
        """f, if 2 f + 2 < n."""
        return tolerated(num_updates, self.num_byzantine)

    def check_quorum(self, quorum: int) -> None:
        """Raises ValueError unless 2 f + 2 < quorum."""
        check_breakdown(self.name, self.num_byzantine, (quorum - 3) // 2, quorum)

    def coefficient_bound(self, target: int, max_weight: int) -> int:
        """The one update."""
        return 1

    def plan(self, updates: RoundUpdates, gram: Gram | None = None) -> Plan:
        """The update of least score. Raises ValueError for too few updates."""
        its_scores = scores(measured(gram, updates), self.num_byzantine)
        return Plan(rows=unit_rows(least(its_scores, 1), len(updates)), divisor=1, scores=its_scores)
