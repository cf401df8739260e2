"""Nearest-neighbour mixing before any rule: each update becomes the mean of its n - f nearest, itself included. Source:
Allouah et al., 2023, "Fixing by Mixing: A Recipe for Optimal Byzantine ML under Heterogeneity", Algorithm 2.

Among equally distant updates the earlier row is nearer; an update is its own first neighbour always. Holds against f
arbitrary updates if 2 f < n and the rule inside holds against f. The rule inside sees the Gram matrix of the mixed
updates, G' = W G W^T, each under the name and weight of the update that it started from; what it decides is carried
back to the updates. Shapes: N updates.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from models.aggregation.coefficients import Term, shortened
from models.aggregation.gram import squared_distances
from models.aggregation.plan import (
    DeferredRule,
    Gram,
    Measure,
    Plan,
    RoundUpdates,
    Rule,
    check_breakdown,
    measured,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NearestNeighbourMixing(DeferredRule):
    """Wrapper `nearest_neighbour_mixing`. num_byzantine: f. rule: what gets the mixed updates."""

    name: ClassVar[str] = "nearest_neighbour_mixing"
    measure: ClassVar[Measure] = Measure.GRAM

    num_byzantine: int
    rule: Rule

    def __post_init__(self) -> None:
        """Raises ValueError for a negative f."""
        if self.num_byzantine < 0:
            raise ValueError(f"num_byzantine {self.num_byzantine} is below 0")

    def breakdown_point(self, num_updates: int) -> int:
        """f, if 2 f < n, but not more than the rule inside withstands."""
        own = self.num_byzantine if 2 * self.num_byzantine < num_updates else 0
        return min(own, self.rule.breakdown_point(num_updates))

    def check_quorum(self, quorum: int) -> None:
        """Raises ValueError unless 2 f < quorum, and if the rule inside does not hold against f of them."""
        check_breakdown(self.name, self.num_byzantine, (quorum - 1) // 2, quorum)
        self.rule.check_quorum(quorum)
        check_breakdown(self.rule.name, self.num_byzantine, self.rule.breakdown_point(quorum), quorum)

    def coefficient_bound(self, target: int, max_weight: int) -> int:
        """That of the rule inside, each coefficient spread over the neighbours."""
        return max(1, target - self.num_byzantine) * self.rule.coefficient_bound(target, max_weight)

    def plan(self, updates: RoundUpdates, gram: Gram | None = None) -> Plan:
        """The inner rule's plan of the mixed updates, as a plan of the updates. Raises ValueError if 2 f >= n."""
        gram, count = measured(gram, updates), len(updates)
        check_breakdown(self.name, self.num_byzantine, (count - 1) // 2, count)
        near = neighbours(gram, count - self.num_byzantine)
        inner = self.rule.plan(updates, mixed_gram(gram, near))
        rows, shifts = zip(*(_carried_back(terms, near) for terms in inner.terms), strict=True)
        plan = Plan(
            rows=rows,
            divisor=inner.divisor * (count - self.num_byzantine),
            shifts=shifts if any(map(any, shifts)) else (),
            reduction=inner.reduction,
            scores=inner.scores,
        )
        return plan.in_lowest_terms()


def _carried_back(terms: Sequence[Term], near: list[list[int]]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Coefficients of the mixed updates as coefficients and shifts of the updates: each goes to all its neighbours."""
    most = max(shift for _, shift in terms)
    row = [0] * len(near)
    for (coefficient, shift), those in zip(terms, near, strict=True):
        if coefficient:
            for neighbour in those:
                row[neighbour] += coefficient << (most - shift)
    if not most:
        return tuple(row), (0,) * len(row)
    coefficients, shifts = zip(*(shortened(coefficient, most) for coefficient in row), strict=True)
    return coefficients, shifts


def neighbours(gram: Gram, num_neighbours: int) -> list[list[int]]:
    """Per row its `num_neighbours` nearest rows, itself among them, ascending."""
    distances = squared_distances(gram)
    np.fill_diagonal(distances, -1.0)
    ranked = np.argsort(distances, axis=1, kind="stable")
    return [sorted(row[:num_neighbours].tolist()) for row in ranked]


def mixed_gram(gram: Gram, near: list[list[int]]) -> Gram:
    """Gram matrix float64[N, N] of the means over each row's neighbours; sums are added up in the order of rows.

    Where a mean cancels to 0, rounding may take its squared norm below 0: it is 0 then.
    """
    once = np.stack([_mean(gram, those) for those in near], axis=1)
    mixed = np.stack([_mean(once, those) for those in near], axis=1)
    symmetric: Gram = (mixed + mixed.T) / 2.0
    np.fill_diagonal(symmetric, np.maximum(np.diagonal(symmetric), 0.0))
    return symmetric


def _mean(rows: Gram, those: list[int]) -> NDArray[np.float64]:
    """Mean of some rows, added up in their order: no kernel of BLAS has a say in the bits."""
    total = rows[those[0]].copy()
    for row in those[1:]:
        np.add(total, rows[row], out=total)
    mean: NDArray[np.float64] = total / len(those)
    return mean
