"""The mean of all updates, each counting the same: a claimed weight gains nothing.

Breaks down with one Byzantine update of unbounded norm; a round's `max_norm` bounds what one update can do.
"""

from dataclasses import dataclass
from typing import ClassVar

from models.aggregation.plan import Gram, Measure, Plan, RoundUpdates


@dataclass(frozen=True, slots=True, kw_only=True)
class UnweightedMean:
    """Rule `unweighted_mean`; no parameters. Linear: updates can be added as they arrive."""

    name: ClassVar[str] = "unweighted_mean"
    measure: ClassVar[Measure] = Measure.NONE
    linear: ClassVar[bool] = True

    def coefficient(self, weight: int) -> int:
        """1, whatever the weight."""
        return 1

    def breakdown_point(self, num_updates: int) -> int:
        """None of them."""
        return 0

    def check_quorum(self, quorum: int) -> None:
        """Any quorum of at least one will do. Raises ValueError."""
        if quorum < 1:
            raise ValueError(f"quorum {quorum} must be at least 1")

    def coefficient_bound(self, target: int, max_weight: int) -> int:
        """One for each update."""
        return target

    def plan(self, updates: RoundUpdates, gram: Gram | None = None) -> Plan:
        """Every update once; the Gram matrix is not looked at."""
        return Plan(rows=((1,) * len(updates),), divisor=len(updates))
