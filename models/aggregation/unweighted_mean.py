"""The mean of all updates, each counting the same: a claimed weight gains nothing.

Breaks down with one Byzantine update of unbounded norm; a round's `max_norm` bounds what one update can do.
"""

from dataclasses import dataclass
from typing import ClassVar

from models.aggregation.plan import Gram, LinearRule, Plan, RoundUpdates


@dataclass(frozen=True, slots=True, kw_only=True)
class UnweightedMean(LinearRule):
    """Rule `unweighted_mean`; no parameters. Linear: updates can be added as they arrive."""

    name: ClassVar[str] = "unweighted_mean"

    def coefficient(self, weight: int) -> int:
        """1, whatever the weight."""
        return 1

    def coefficient_bound(self, target: int, max_weight: int) -> int:
        """One for each update."""
        return target

    def plan(self, updates: RoundUpdates, gram: Gram | None = None) -> Plan:
        """Every update once; the Gram matrix is not looked at."""
        return Plan(rows=((1,) * len(updates),), divisor=len(updates))
