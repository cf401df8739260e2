"""Coordinate-wise trimmed mean. Source: Yin et al., 2018, "Byzantine-Robust Distributed Learning", Definition 2.

Of each coordinate the f smallest and the f largest values are left out, and the rest is averaged. Holds against f
arbitrary updates if 2 f < n. Weights are not looked at: a weight is a claim.
"""

from dataclasses import dataclass
from typing import ClassVar

from models.aggregation.plan import DeferredRule, Gram, Measure, Plan, RoundUpdates, check_breakdown, unit_rows
from models.aggregation.reduction import TrimmedMean


@dataclass(frozen=True, slots=True, kw_only=True)
class CoordinateTrimmedMean(DeferredRule):
    """Rule `trimmed_mean`. num_byzantine: f, the values cut on each side."""

    name: ClassVar[str] = "trimmed_mean"
    measure: ClassVar[Measure] = Measure.NONE

    num_byzantine: int

    def __post_init__(self) -> None:
        """Raises ValueError for a negative f."""
        if self.num_byzantine < 0:
            raise ValueError(f"num_byzantine {self.num_byzantine} is below 0")

    def breakdown_point(self, num_updates: int) -> int:
        """f, if 2 f < n."""
        return self.num_byzantine if 2 * self.num_byzantine < num_updates else 0

    def check_quorum(self, quorum: int) -> None:
        """Raises ValueError unless 2 f < quorum."""
        check_breakdown(self.name, self.num_byzantine, (quorum - 1) // 2, quorum)

    def coefficient_bound(self, target: int, max_weight: int) -> int:
        """All values that are left, of the largest round."""
        return target

    def plan(self, updates: RoundUpdates, gram: Gram | None = None) -> Plan:
        """Every update as it is, and the trimmed mean. Raises ValueError if nothing would be left."""
        rows = unit_rows(list(range(len(updates))), len(updates))
        return Plan(rows=rows, divisor=1, reduction=TrimmedMean(num_trimmed=self.num_byzantine))
