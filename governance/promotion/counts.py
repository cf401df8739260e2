"""Answers of a model and of its accelerated variant on the same examples, counted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedCounts:
    """Examples of one group by who was right. What both have in common cancels, so these four numbers are all that a
    paired comparison needs; and they tell nothing of a single example.

    both: reference and variant right. harmed: the reference right, the variant wrong. helped: the other way round.
    neither: both wrong. Of the metric `agreement`, right means: the same answer as the reference, so that `helped` and
    `neither` are 0 and no label is needed.
    """

    both: int
    harmed: int
    helped: int
    neither: int

    def __post_init__(self) -> None:
        """Raises ValueError for a negative count."""
        if min(self.both, self.harmed, self.helped, self.neither) < 0:
            raise ValueError(f"counts are at least 0, got {self}")

    @property
    def num_examples(self) -> int:
        return self.both + self.harmed + self.helped + self.neither

    @property
    def drop(self) -> float:
        """Share of the examples that the variant loses; below 0 where it gains. 0 of no examples."""
        return (self.harmed - self.helped) / self.num_examples if self.num_examples else 0.0

    @property
    def reference(self) -> float:
        """Share that the reference has right; 0 of no examples."""
        return (self.both + self.harmed) / self.num_examples if self.num_examples else 0.0

    @property
    def value(self) -> float:
        """Share that the variant has right; 0 of no examples."""
        return (self.both + self.helped) / self.num_examples if self.num_examples else 0.0
