import numpy as np
import pytest

from fluvial.encoding import encoder, limits


@pytest.mark.parametrize("max_abs", [0.1, 0.3, 1.0, 1e-40, 3e38])
def test_the_largest_element_is_the_limit_as_a_float32(max_abs: float) -> None:
    assert limits.largest_element(max_abs) == float(np.float32(max_abs))


def test_a_limit_beyond_float32_stays_what_it_is() -> None:
    with np.errstate(all="raise"):
        assert limits.largest_element(1e300) == 1e300
        assert encoder("int8").largest_element(1e300) == 1e300


def test_a_norm_may_exceed_its_limit_by_rounding_and_no_more() -> None:
    assert 1.0 + 1.4e-7 < limits.largest_norm(1.0) < 1.0 + 2e-6


@pytest.mark.parametrize("max_abs", [1017.0, 8170.0, 3.97, 0.994, 0.1])
def test_int8_may_exceed_the_limit_by_what_rounds_its_scale(max_abs: float) -> None:
    assert limits.largest_element(max_abs) <= encoder("int8").largest_element(max_abs) <= max_abs * (1 + 2.0**-22)
