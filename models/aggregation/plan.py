"""What a rule is asked, and what it decides: integer combinations of a round's updates, and how they become one.

A rule never touches a tensor. It sees who took part, with which weights, and, if it asks for it, the Gram matrix of
the updates; what it gives back is exact, small, and the same on every machine. `combination` carries it out, chunk by
chunk. Shapes: N updates, rows ordered by the digest of their records; K combinations.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from math import ceil, fsum, gcd, ldexp
from operator import mul
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from models.aggregation.coefficients import Term, total_of
from models.aggregation.reduction import Reduction

Gram = NDArray[np.float64]


class Measure(IntEnum):
    """What a rule needs to know of the updates before it can decide; more includes less."""

    NONE = 0
    NORMS = 1
    """The diagonal of the Gram matrix alone: squared norms."""
    GRAM = 2
    """All inner products."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundUpdates:
    """A round's updates. participants: whose. weights: as claimed, 1 .. max_weight. Both ordered by record digest."""

    participants: tuple[str, ...]
    weights: tuple[int, ...]

    def __post_init__(self) -> None:
        """Raises ValueError without updates, for different lengths, and for weights below 1."""
        if not self.weights or len(self.participants) != len(self.weights):
            raise ValueError(f"{len(self.participants)} participants and {len(self.weights)} weights make no round")
        if min(self.weights) < 1:
            raise ValueError(f"weights must be at least 1, got {min(self.weights)}")

    def __len__(self) -> int:
        return len(self.weights)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What becomes of N updates x: K combinations sum_i rows[k][i] * 2**-shifts[k][i] * x_i / divisor, and a reduction
    of K to one.

    rows: K x N integers, at least 0. shifts: as many, at least 0, or none at all where every shift is 0. reduction:
    None if K is 1, and the combination is the aggregate. scores: per update, as the rule defines them; empty for a rule
    that has none.
    """

    rows: tuple[tuple[int, ...], ...]
    divisor: int
    shifts: tuple[tuple[int, ...], ...] = ()
    reduction: Reduction | None = None
    scores: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Raises ValueError for rows that have no one length, negative coefficients, a plan that takes nobody in, and
        combinations that do not become one."""
        if len({len(row) for row in self.rows}) != 1 or self.divisor < 1:
            raise ValueError(f"rows of lengths {sorted({len(row) for row in self.rows})}, divisor {self.divisor}")
        if min(map(min, self.rows)) < 0 or not any(map(any, self.rows)):
            raise ValueError("coefficients must be at least 0, and not all 0")
        if self.shifts and (list(map(len, self.shifts)) != list(map(len, self.rows)) or min(map(min, self.shifts)) < 0):
            raise ValueError("shifts must be at least 0, one for each coefficient")
        if self.reduction is None and len(self.rows) != 1:
            raise ValueError(f"{len(self.rows)} combinations need a reduction")
        if self.reduction is not None:
            self.reduction.num_added(len(self.rows))

    @property
    def terms(self) -> tuple[tuple[Term, ...], ...]:
        """K x N coefficients with their shifts."""
        shifts = self.shifts or ((0,) * len(self.rows[0]),) * len(self.rows)
        return tuple(tuple(zip(*both, strict=True)) for both in zip(self.rows, shifts, strict=True))

    @property
    def effective_weights(self) -> tuple[int, ...]:
        """Per update the sum of its coefficients, rounded up; 0 for an update that is left out."""
        if not self.shifts:
            return tuple(map(sum, zip(*self.rows, strict=True)))
        return tuple(ceil(total_of(column)) for column in zip(*self.terms, strict=True))

    @property
    def coefficient_sum(self) -> int:
        """Most that coefficients enter one sum with: of the largest row, times the rows that are added up; rounded
        up."""
        added = 1 if self.reduction is None else self.reduction.num_added(len(self.rows))
        return added * ceil(max(map(total_of, self.terms)) if self.shifts else max(map(sum, self.rows)))

    def largest_sum(self, largest: Sequence[float]) -> float:
        """Most that a sum can be, if no element of update i lies beyond largest[i]; to float64's precision."""
        added = 1 if self.reduction is None else self.reduction.num_added(len(self.rows))
        if not self.shifts:
            return added * max(fsum(map(mul, row, largest)) for row in self.rows)
        return added * max(
            fsum(ldexp(coefficient, -shift) * most for (coefficient, shift), most in zip(row, largest, strict=True))
            for row in self.terms
        )

    @property
    def is_selection(self) -> bool:
        """Whether each combination is one update as it is, so that a reduction can work on the updates themselves."""
        return self.divisor == 1 and not self.shifts and all(sum(row) == 1 for row in self.rows)

    def in_lowest_terms(self) -> "Plan":
        """The same plan without a common factor of divisor and all coefficients."""
        factor = gcd(self.divisor, *(coefficient for row in self.rows for coefficient in row))
        if factor == 1:
            return self
        rows = tuple(tuple(coefficient // factor for coefficient in row) for row in self.rows)
        return replace(self, rows=rows, divisor=self.divisor // factor)

    def of_columns(self, columns: Sequence[int]) -> "Plan":
        """The plan of these updates alone, ascending, without its scores: of all that it takes in, the same
        aggregate."""
        if len(columns) == len(self.rows[0]):
            return replace(self, scores=())
        rows, shifts = (
            tuple(tuple(row[column] for column in columns) for row in matrix) for matrix in (self.rows, self.shifts)
        )
        return replace(self, rows=rows, shifts=shifts, scores=())


class Rule(Protocol):
    """What the rounds of a task need of a rule."""

    name: ClassVar[str]

    @property
    def measure(self) -> Measure:
        """What `plan` needs of the updates."""

    @property
    def linear(self) -> bool:
        """Whether an update's coefficient is known when it arrives, so that updates may be summed at once."""

    def coefficient(self, weight: int) -> int:
        """The coefficient of an update of this weight. Raises ValueError if the rule is not linear."""

    def breakdown_point(self, num_updates: int) -> int:
        """Most Byzantine updates among so many against which the rule's promise holds; 0 for no promise."""

    def check_quorum(self, quorum: int) -> None:
        """Raises ValueError if the rule as configured makes no promise for rounds of `quorum` updates."""

    def coefficient_bound(self, target: int, max_weight: int) -> int:
        """Most that `Plan.coefficient_sum` can be for up to `target` updates of up to `max_weight`: what the exact
        sum's fraction bits follow from, together with `element_bound`."""

    def element_bound(self, max_abs: float) -> float:
        """Largest element of what those coefficients multiply, if none of an update's lies beyond max_abs."""

    def plan(self, updates: RoundUpdates, gram: Gram | None = None) -> Plan:
        """Decide. gram: float64[N, N] of the deltas if `measure` asks for it; for NORMS only its diagonal is read.

        Raises ValueError if the rule cannot decide on these updates.
        """


class LinearRule:
    """Base of the rules that take every update in by itself. One Byzantine update of unbounded norm breaks them."""

    __slots__ = ()

    measure: ClassVar[Measure] = Measure.NONE
    linear: ClassVar[bool] = True

    def element_bound(self, max_abs: float) -> float:
        """The updates' own."""
        return max_abs

    def breakdown_point(self, num_updates: int) -> int:
        """None of them."""
        return 0

    def check_quorum(self, quorum: int) -> None:
        """Any quorum of at least one will do. Raises ValueError."""
        if quorum < 1:
            raise ValueError(f"quorum {quorum} must be at least 1")


class DeferredRule:
    """Base of the rules that decide when all updates are there."""

    __slots__ = ()

    linear: ClassVar[bool] = False

    def element_bound(self, max_abs: float) -> float:
        """The updates' own."""
        return max_abs

    def coefficient(self, weight: int) -> int:
        """Raises ValueError."""
        raise ValueError(f"what becomes of an update of weight {weight} is not known before all others are there")


def measured(gram: Gram | None, updates: RoundUpdates) -> Gram:
    """The Gram matrix that a rule asked for. Raises ValueError if it is missing, has another shape, or if a squared
    norm is not a finite number of at least 0."""
    if gram is None or gram.shape != (len(updates), len(updates)):
        raise ValueError(f"the Gram matrix of {len(updates)} updates is needed")
    norms = np.diagonal(gram)
    if not (np.isfinite(norms).all() and (norms >= 0).all()):
        raise ValueError("Gram matrix is not finite")
    return gram


def check_breakdown(rule: str, num_byzantine: int, tolerated: int, quorum: int) -> None:
    """Raises ValueError if a rule is to hold against more Byzantine updates than it can, of a round of `quorum`."""
    if not 0 <= num_byzantine <= tolerated:
        most = f"against {tolerated} at most" if tolerated >= 0 else "against none"
        raise ValueError(f"num_byzantine {num_byzantine}: the rule {rule} holds {most} in a quorum of {quorum}")


def unit_rows(chosen: list[int], num_updates: int) -> tuple[tuple[int, ...], ...]:
    """One row for each chosen update, which takes it as it is."""
    return tuple(tuple(int(column == row) for column in range(num_updates)) for row in chosen)
