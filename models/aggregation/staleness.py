"""Weights of updates that were trained on an older model, in fixed point. Sources: Xie et al., 2019, "Asynchronous
Federated Optimization" (the functions); Nguyen et al., 2022, "Federated Learning with Buffered Asynchronous
Aggregation" (their use in a buffer).

The lag s of an update is the number of rounds between the one that it was trained for and the one that takes it. Its
contribution is scaled by a factor of at most 1, while the divisor stays what it is without staleness: as in the paper,
stale updates do not only count less beside fresh ones, they shorten the step.

A factor is an integer over `unit`, rounded once from a value that is exact (constant, hinge) or has 50 decimal digits
(polynomial; brought to 40 places first, so that a value halfway between two integers stays one), ties to even, and
never below 1: rounding leaves nobody out. It is the same on every machine.
"""

import json
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from functools import lru_cache
from math import isfinite
from typing import ClassVar, Protocol

from models.aggregation.plan import Plan

UNIT = 2**16
"""What a factor of 1 is as an integer, where factors differ from 1."""

_CONTEXT = Context(prec=50, rounding=ROUND_HALF_EVEN)
_PLACES = Decimal(1).scaleb(-40)


class Staleness(Protocol):
    """What a factor is at each lag."""

    @property
    def unit(self) -> int:
        """What a factor of 1 is as an integer."""

    def factor(self, lag: int) -> int:
        """The factor of an update that lags behind by so many rounds, 1 .. unit. Raises ValueError below 0."""


@dataclass(frozen=True, slots=True)
class Constant:
    """1, whatever the lag."""

    unit: ClassVar[int] = 1

    def factor(self, lag: int) -> int:
        """See `Staleness`."""
        _check_lag(lag)
        return 1


@dataclass(frozen=True, slots=True)
class Polynomial:
    """(1 + s) ** -exponent."""

    exponent: float

    unit: ClassVar[int] = UNIT

    def factor(self, lag: int) -> int:
        """See `Staleness`."""
        _check_lag(lag)
        power = _CONTEXT.power(Decimal(1 + lag), -Decimal(self.exponent))
        scaled = _CONTEXT.multiply(power, Decimal(UNIT)).quantize(_PLACES, context=_CONTEXT)
        return max(1, int(scaled.to_integral_value(ROUND_HALF_EVEN)))


@dataclass(frozen=True, slots=True)
class Hinge:
    """1 up to a lag of `delay`, from there on 1 / (exponent * (s - delay) + 1)."""

    exponent: float
    delay: int

    unit: ClassVar[int] = UNIT

    def factor(self, lag: int) -> int:
        """See `Staleness`."""
        _check_lag(lag)
        return max(1, round(UNIT / (Fraction(self.exponent) * max(0, lag - self.delay) + 1)))


@lru_cache(maxsize=64)
def parse_staleness(text: str) -> Staleness:
    """From its JSON; the empty text is constant. Raises ValueError that names what is wrong."""
    if not text:
        return Constant()
    given = json.loads(text)
    if not isinstance(given, dict):
        raise ValueError(f"staleness is not a JSON object: {text!r}")
    name, exponent, delay = given.get("name"), given.get("exponent", 0.5), given.get("delay", 0)
    if unknown := sorted(given.keys() - {"name", "exponent", "delay"}):
        raise ValueError(f"staleness has no parameter {', '.join(unknown)}")
    if type(exponent) not in (int, float) or not isfinite(exponent) or exponent <= 0:
        raise ValueError(f"the exponent of staleness must be a positive number, got {exponent!r}")
    if type(delay) is not int or delay < 0:
        raise ValueError(f"the delay of staleness must be a whole number of at least 0, got {delay!r}")
    match name:
        case "constant":
            return Constant()
        case "polynomial":
            return Polynomial(float(exponent))
        case "hinge":
            return Hinge(float(exponent), delay)
    raise ValueError(f"unknown staleness {name!r}; known: constant, hinge, polynomial")


def aged(plan: Plan, lags: tuple[int, ...], staleness: Staleness) -> Plan:
    """The plan with each update scaled by its factor. lags: per update, in the order of the plan's columns.

    The rule has decided on the updates as they are; the factors scale what it took. Raises ValueError for another
    number of lags than updates.
    """
    if staleness.unit == 1:
        return plan
    factors = tuple(staleness.factor(lag) for lag in lags)
    rows = tuple(
        tuple(coefficient * factor for coefficient, factor in zip(row, factors, strict=True)) for row in plan.rows
    )
    return replace(plan, rows=rows, divisor=plan.divisor * staleness.unit)


def _check_lag(lag: int) -> None:
    if lag < 0:
        raise ValueError(f"an update cannot lag behind by {lag} rounds")
