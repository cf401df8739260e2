"""Federated averaging: the mean of all updates, weighted by examples. Source: McMahan et al., 2017,
"Communication-Efficient Learning".

Breaks down with one Byzantine update of unbounded norm; a round's `max_norm` and `max_weight` bound what one update
can do.
"""

from dataclasses import dataclass
from typing import ClassVar

from models.aggregation.plan import Gram, LinearRule, Plan, RoundUpdates


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightedMean(LinearRule):
    """Rule `weighted_mean`; no parameters. Linear: updates can be added as they arrive."""

    name: ClassVar[str] = "weighted_mean"

    def coefficient(self, weight: int) -> int:
        """The weight."""
        return weight

    def coefficient_bound(self, target: int, max_weight: int) -> int:
        """All updates of the largest weight."""
        return target * max_weight

    def plan(self, updates: RoundUpdates, gram: Gram | None = None) -> Plan:
        """Every update, by its weight; the Gram matrix is not looked at."""
        return Plan(rows=(updates.weights,), divisor=sum(updates.weights))
