"""Multi-Krum: the mean of the updates that lie closest to their neighbours. Source: Blanchard et al., 2017, "Machine
Learning with Adversaries: Byzantine Tolerant Gradient Descent", sections 4 and 5.

An update's score is the sum of the squared distances to its n - f - 2 nearest others; the m updates of least score
are averaged, by their weights as in federated averaging (the paper has equal weights). Holds against f arbitrary
updates if 2 f + 2 < n. A weight is a claim: what one can gain by it, once selected, is bounded by the round's
`max_weight`. Shapes: N updates.
"""

from dataclasses import dataclass
from typing import ClassVar

from models.aggregation.krum_scores import least, scores, tolerated
from models.aggregation.plan import DeferredRule, Gram, Measure, Plan, RoundUpdates, measured


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiKrum(DeferredRule):
    """Rule `multi_krum`. num_byzantine: f. num_selected: m; by default n - f of the round's n updates."""

    name: ClassVar[str] = "multi_krum"
    measure: ClassVar[Measure] = Measure.GRAM

    num_byzantine: int
    num_selected: int | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for parameters that no round could satisfy."""
        if self.num_byzantine < 0 or (self.num_selected is not None and self.num_selected < 1):
            raise ValueError(f"num_byzantine {self.num_byzantine} or num_selected {self.num_selected} is too small")

    def breakdown_point(self, num_updates: int) -> int:
        """f, if 2 f + 2 < n."""
        return tolerated(num_updates, self.num_byzantine)

    def check_quorum(self, quorum: int) -> None:
        """Raises ValueError if a round of `quorum` updates would be too small for the promise."""
        bound, most = 2 * self.num_byzantine + 2, quorum - self.num_byzantine
        if quorum <= bound:
            raise ValueError(f"num_byzantine {self.num_byzantine} needs a quorum above {bound}, got {quorum}")
        if self.num_selected is not None and self.num_selected > most:
            raise ValueError(f"num_selected {self.num_selected} is more than quorum - num_byzantine = {most}")

    def coefficient_bound(self, target: int, max_weight: int) -> int:
        """All updates of the largest weight."""
        return target * max_weight

    def plan(self, updates: RoundUpdates, gram: Gram | None = None) -> Plan:
        """The selected updates by their weights, the others with 0. Raises ValueError for too few updates."""
        its_scores = scores(measured(gram, updates), self.num_byzantine)
        num_selected = self.num_selected if self.num_selected is not None else len(updates) - self.num_byzantine
        chosen = set(least(its_scores, num_selected))
        row = tuple(weight if index in chosen else 0 for index, weight in enumerate(updates.weights))
        return Plan(rows=(row,), divisor=sum(row), scores=its_scores)
