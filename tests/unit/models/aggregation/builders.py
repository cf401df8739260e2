"""Rounds small enough to work out by hand."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.aggregation.combination import combine_chunk
from models.aggregation.gram import partial_gram
from models.aggregation.plan import Gram, Plan, RoundUpdates, Rule
from models.aggregation.precision import fraction_bits

NINE = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]
"""The rows for which ByzFL's documentation gives results."""


def round_of(count: int, weights: Sequence[int] | None = None) -> RoundUpdates:
    """Participants a, b, c, ...; weights are 1 by default."""
    names = tuple(chr(ord("a") + number) for number in range(count))
    return RoundUpdates(participants=names, weights=tuple(weights) if weights else (1,) * count)


def gram_of(rows: Sequence[Sequence[float]]) -> Gram:
    """The Gram matrix of these updates, in this order."""
    return partial_gram([np.array(row, np.float32) for row in rows])


def plan_of(rule: Rule, rows: Sequence[Sequence[float]], weights: Sequence[int] | None = None) -> Plan:
    """What the rule decides of these updates, in this order."""
    return rule.plan(round_of(len(rows), weights), gram_of(rows))


def aggregate(rule: Rule, rows: Sequence[Sequence[float]], weights: Sequence[int] | None = None) -> NDArray[np.float64]:
    """The mean delta."""
    largest = max(1024.0, *(abs(value) for row in rows for value in row))
    bits = fraction_bits(rule, target=len(rows), max_weight=max(weights or [1]), max_abs=largest)
    return combine_chunk([np.array(row, np.float32) for row in rows], plan_of(rule, rows, weights), bits)
