"""Factors of stale updates: golden vectors, and what a plan makes of them."""

import json
from fractions import Fraction
from math import isqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.aggregation.plan import Plan
from models.aggregation.reduction import Median
from models.aggregation.staleness import UNIT, Constant, Hinge, Polynomial, aged, parse_staleness

LAGS = (0, 1, 2, 3, 5, 10, 63)


@pytest.mark.parametrize(
    ("text", "factors"),
    [
        ({"name": "polynomial", "exponent": 0.5}, (65536, 46341, 37837, 32768, 26755, 19760, 8192)),
        ({"name": "polynomial", "exponent": 1}, (65536, 32768, 21845, 16384, 10923, 5958, 1024)),
        ({"name": "polynomial", "exponent": 2.0}, (65536, 16384, 7282, 4096, 1820, 542, 16)),
        ({"name": "polynomial", "exponent": 0.1}, (65536, 61147, 58718, 57052, 54785, 51563, 43238)),
        ({"name": "hinge", "exponent": 0.5, "delay": 4}, (65536, 65536, 65536, 65536, 43691, 16384, 2149)),
        ({"name": "hinge", "exponent": 10.0, "delay": 1}, (65536, 65536, 5958, 3121, 1598, 720, 106)),
    ],
)
def test_golden_factors(text: dict[str, object], factors: tuple[int, ...]) -> None:
    staleness = parse_staleness(json.dumps(text))
    assert staleness.unit == UNIT
    assert tuple(staleness.factor(lag) for lag in LAGS) == factors


def test_the_square_root_is_rounded_from_the_exact_value() -> None:
    """By integers alone: the factor f is nearest to UNIT / sqrt(1 + s) if (2 f - 1)**2 <= 4 UNIT**2 / (1 + s)."""
    for lag in range(64):
        factor, exact = Polynomial(0.5).factor(lag), Fraction(4 * UNIT**2, 1 + lag)
        assert (2 * factor - 1) ** 2 <= exact <= (2 * factor + 1) ** 2
    assert Polynomial(0.5).factor(3) == UNIT // isqrt(4)


def test_a_value_between_two_integers_goes_to_the_even_one_and_none_to_zero() -> None:
    assert Polynomial(7.25).factor(3) == 3  # 2.83
    assert Polynomial(7.5).factor(3) == 2  # exactly 2
    assert Polynomial(7.75).factor(3) == 1  # 1.41
    assert Hinge(2.0, 0).factor(2**16) == 1  # 0.5 and less
    assert Polynomial(8.5).factor(3) == 1  # exactly 0.5: even would be 0
    assert Polynomial(16.0).factor(63) == 1


def test_constant_needs_no_unit() -> None:
    for text in ("", '{"name": "constant", "exponent": 0.5, "delay": 0}'):
        assert parse_staleness(text) == Constant()
    assert Constant().factor(7) == Constant().unit == 1


@given(st.floats(0.01, 16), st.integers(0, 63), st.integers(0, 63))
def test_factors_fall_with_the_lag(exponent: float, delay: int, lag: int) -> None:
    for staleness in (Polynomial(exponent), Hinge(exponent, delay)):
        assert staleness.factor(0) == UNIT
        assert UNIT >= staleness.factor(lag) >= staleness.factor(lag + 1) >= 1


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        '{"name": "exponential"}',
        '{"name": "polynomial", "exponent": 0}',
        '{"name": "polynomial", "exponent": "1"}',
        '{"name": "hinge", "delay": -1}',
        '{"name": "hinge", "slope": 1}',
        "no json",
    ],
)
def test_what_is_no_staleness_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_staleness(text)


def test_an_update_from_the_future_is_refused() -> None:
    for staleness in (Constant(), Polynomial(0.5), Hinge(1.0, 0)):
        with pytest.raises(ValueError, match="lag"):
            staleness.factor(-1)


def test_a_stale_update_shortens_the_step() -> None:
    """The divisor stays the sum of the weights: what the factor takes from an update goes to no other."""
    plan = aged(Plan(rows=((10, 30),), divisor=40), (0, 3), Polynomial(0.5))
    assert plan.rows == ((10 * UNIT, 15 * UNIT),)
    assert plan.divisor == 40 * UNIT


def test_a_plan_without_staleness_stays_as_it_is() -> None:
    plan = Plan(rows=((1, 0), (0, 1)), divisor=1, reduction=Median())
    assert aged(plan, (0, 9), Constant()) is plan
    scaled = aged(plan, (0, 3), Polynomial(0.5))
    assert scaled.rows == ((UNIT, 0), (0, UNIT // 2))
    assert scaled.reduction == Median()


def test_every_update_has_a_lag() -> None:
    with pytest.raises(ValueError, match="shorter"):
        aged(Plan(rows=((1, 1),), divisor=2), (0,), Polynomial(0.5))
