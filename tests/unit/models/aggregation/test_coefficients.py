import pytest

from models.aggregation.coefficients import SCALE, to_integers


def test_coefficients_that_add_up_to_one_still_do() -> None:
    for count in (1, 3, 7, 1000):
        integers = to_integers([1 / count] * count)
        assert sum(integers) == SCALE
        assert max(integers) - min(integers) <= count


def test_what_is_lost_goes_to_the_largest() -> None:
    assert to_integers([0.25 + 2.0**-30, 0.75 - 2.0**-30]) == (SCALE // 4, SCALE * 3 // 4)
    assert to_integers([0.0, 1e-30, 0.5]) == (0, 0, SCALE // 2)


@pytest.mark.parametrize("bad", [[0.0, 0.0], [1.0, -0.5], [float("inf")], [float("nan"), 1.0]])
def test_what_is_no_coefficient_is_refused(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="coefficients"):
        to_integers(bad)
