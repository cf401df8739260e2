"""How several combinations of updates become one aggregate, coordinate by coordinate: descriptions, no arithmetic.

The arithmetic is in `coordinates`. Shapes: K values of one coordinate.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Median:
    """The middle value; of an even number of values the mean of the two in the middle."""

    def num_added(self, count: int) -> int:
        """How many of `count` values are added up at most."""
        return 2 - count % 2


@dataclass(frozen=True, slots=True, kw_only=True)
class TrimmedMean:
    """Mean of what is left without the `num_trimmed` smallest and largest values."""

    num_trimmed: int

    def num_added(self, count: int) -> int:
        """How many of `count` values are added up. Raises ValueError if none is left."""
        left = count - 2 * self.num_trimmed
        if self.num_trimmed < 0 or left < 1:
            raise ValueError(f"of {count} values nothing is left without {self.num_trimmed} on each side")
        return left


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanAroundMedian:
    """Mean of the `num_kept` values closest to the median; of two as close the smaller one.

    Source: Xie et al., 2018, "Generalized Byzantine-tolerant SGD" (Meamed); the second step of Bulyan.
    """

    num_kept: int

    def num_added(self, count: int) -> int:
        """How many of `count` values are added up. Raises ValueError if there are not so many."""
        if not 1 <= self.num_kept <= count:
            raise ValueError(f"cannot keep {self.num_kept} of {count} values")
        return self.num_kept


Reduction = Median | TrimmedMean | MeanAroundMedian
