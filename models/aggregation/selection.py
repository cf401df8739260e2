"""What a rule decides of a round's updates."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Per row (updates ordered by record digest): the weight by which it enters the exact sum, 0 for excluded; and
    its score.

    scores: as the rule defines them; empty for a rule that does not compare updates.
    """

    weights: tuple[int, ...]
    scores: tuple[float, ...] = ()

    @property
    def total_weight(self) -> int:
        """Sum of the weights: what the exact sum is divided by."""
        return sum(self.weights)
