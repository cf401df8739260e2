"""Coordinate-wise median. Source: Yin et al., 2018, "Byzantine-Robust Distributed Learning", Definition 1.

Holds against f < n / 2 arbitrary updates. Weights are not looked at: a weight is a claim.
"""

from dataclasses import dataclass
from typing import ClassVar

from models.aggregation.plan import DeferredRule, Gram, Measure, Plan, RoundUpdates, check_breakdown, unit_rows
from models.aggregation.reduction import Median


@dataclass(frozen=True, slots=True, kw_only=True)
class CoordinateMedian(DeferredRule):
    """Rule `median`. num_byzantine: how many Byzantine updates the operator counts on; it changes no result."""

    name: ClassVar[str] = "median"
    measure: ClassVar[Measure] = Measure.NONE

    num_byzantine: int = 0

    def breakdown_point(self, num_updates: int) -> int:
        """Fewer than half."""
        return (num_updates - 1) // 2

    def check_quorum(self, quorum: int) -> None:
        """Raises ValueError if num_byzantine of `quorum` updates are half or more."""
        check_breakdown(self.name, self.num_byzantine, self.breakdown_point(quorum), quorum)

    def coefficient_bound(self, target: int, max_weight: int) -> int:
        """Two values in the middle."""
        return 2

    def plan(self, updates: RoundUpdates, gram: Gram | None = None) -> Plan:
        """Every update as it is, and the median."""
        return Plan(rows=unit_rows(list(range(len(updates))), len(updates)), divisor=1, reduction=Median())
