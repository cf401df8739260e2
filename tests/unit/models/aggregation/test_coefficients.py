from fractions import Fraction

import pytest

from models.aggregation.coefficients import SCALE, shortened, to_integers


def test_coefficients_that_add_up_to_one_still_do() -> None:
    for count in (1, 3, 7, 1000):
        integers, shifts = to_integers([1 / count] * count)
        assert not any(shifts)
        assert sum(integers) == SCALE
        assert max(integers) - min(integers) <= count


def test_what_is_lost_goes_to_the_largest() -> None:
    assert to_integers([0.25 + 2.0**-30, 0.75 - 2.0**-30]) == ((SCALE // 4, SCALE * 3 // 4), (0, 0))
    assert to_integers([0.0, 0.1, 0.5])[0] == (0, int(0.1 * SCALE), round(0.6 * SCALE) - int(0.1 * SCALE))


@pytest.mark.parametrize("small", [2.0**-13, 1e-5, 1e-9, 1e-30, 1e-300, 5e-324])
def test_a_small_coefficient_has_as_many_bits_as_a_large_one(small: float) -> None:
    (of_small, _), (shift, _) = to_integers([small, 1.0])
    assert SCALE // 2 <= of_small <= SCALE
    value = Fraction(of_small, SCALE << shift)
    assert Fraction(small) * (1 - Fraction(1, 2**23)) <= value <= Fraction(small)


def test_coefficients_that_are_all_small_add_up_to_what_they_did() -> None:
    integers, shifts = to_integers([1e-9 / 7] * 7)
    (shift,) = set(shifts)
    assert sum(integers) == round(1e-9 * 2.0 ** (24 + shift))


def test_bits_are_taken_from_a_shift_alone() -> None:
    assert shortened((1 << 30) + 1, 0) == ((1 << 30) + 1, 0)
    assert shortened((1 << 30) + 1, 4) == (1 << 26, 0)
    assert shortened((1 << 30) + 1, 40) == (1 << 23, 33)
    assert shortened(7, 40) == (7, 40)


@pytest.mark.parametrize("bad", [[0.0, 0.0], [1.0, -0.5], [float("inf")], [float("nan"), 1.0]])
def test_what_is_no_coefficient_is_refused(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="coefficients"):
        to_integers(bad)
