import numpy as np
import pytest

from models.aggregation.fixed_point import ChunkSum, finish, fraction_bits, scale_to_fixed, to_fixed


@pytest.mark.parametrize(
    ("target", "max_weight", "max_abs", "bits"),
    [
        (1, 1, 1.0, 61),  # 1 * 2**61 < 2**62, but 2**62 is not below itself
        (20, 1000, 1.0, 47),  # 20000 < 2**15
        (16, 1024, 1.0, 47),  # exactly 2**14: one bit less than 2**62 leaves
        (1, 1, 0.5, 62),
        (1, 1, 1e-30, 62),  # never more than 62
        (2**20, 2**32, 2.0**9, 0),
    ],
)
def test_fraction_bits_fill_62_bits(target: int, max_weight: int, max_abs: float, bits: int) -> None:
    assert fraction_bits(target, max_weight, max_abs) == bits


@pytest.mark.parametrize(
    ("target", "max_weight", "max_abs"),
    [
        (0, 1, 1.0),
        (1, 0, 1.0),
        (1, 1, 0.0),
        (1, 1, -1.0),
        (1, 1, float("inf")),
        (1, 1, float("nan")),
        (2**30, 2**23, 1.0),  # the total weight would not be exact in float64
        (2, 1, 2.0**61),  # no bit left
    ],
)
def test_bounds_that_leave_no_exact_sum_are_refused(target: int, max_weight: int, max_abs: float) -> None:
    with pytest.raises(ValueError, match=r"must be|bounds"):
        fraction_bits(target, max_weight, max_abs)


def test_ties_round_to_even() -> None:
    values = np.array([0.5, 1.5, 2.5, -0.5, -1.5, 0.25], np.float32)
    assert to_fixed(values, 0).tolist() == [0, 2, 2, 0, -2, 0]


def test_the_largest_element_is_exact() -> None:
    assert to_fixed(np.array([2.0**15 - 2.0**-9], np.float32), 46).tolist() == [2**61 - 2**37]


def test_subnormal_numbers_count_as_zero() -> None:
    assert to_fixed(np.array([1e-45, -1e-40], np.float32), 62).tolist() == [0, 0]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30])
def test_what_does_not_fit_is_refused(bad: float) -> None:
    values = np.zeros(40000, np.float32)
    values[39999] = bad
    with pytest.raises(ValueError, match="not finite or do not fit"):
        ChunkSum(values.size, 40).add(values, 1)


def test_another_shape_or_type_is_refused() -> None:
    total = ChunkSum(3, 40)
    for start, size in ((0, 4), (1, 3), (-1, 1), (3, 1)):
        with pytest.raises(ValueError, match="do not lie in a chunk of 3"):
            total.add(np.zeros(size, np.float32), 1, start=start)
        with pytest.raises(ValueError, match="do not lie in a chunk of 3"):
            total.add_scaled(np.zeros(size, np.int8), 1.0, 1, start=start)
    with pytest.raises(ValueError, match="sum takes"):
        total.add(np.zeros(3, np.float64), 1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="sum of 4 elements"):
        total.add_integers(np.zeros(4, np.int64), 1)
    for index in (-1, 3):
        with pytest.raises(ValueError, match="outside"):
            total.add_at(np.array([index]), np.ones(1, np.float32), 1)


def test_weighted_mean_by_hand() -> None:
    total = ChunkSum(2, 30)
    total.add(np.array([1.0, -2.0], np.float32), 1)
    total.add(np.array([4.0, 0.5], np.float32), 3)
    model = finish(np.array([10.0, 10.0], np.float32), total.values, 4, 30)
    assert model.dtype == np.float32
    assert model.tolist() == [10.0 + 13.0 / 4, 10.0 - 0.5 / 4]


def test_codes_enter_by_their_scale() -> None:
    total = ChunkSum(3, 20)
    for weight in (5, -5):
        total.add_scaled(np.array([127, -128], np.int8), 0.5, weight)
        total.add_scaled(np.array([3], np.int8), 0.1, weight, start=2)
        if weight > 0:
            assert total.values.tolist() == [127 * 5 << 19, -128 * 5 << 19, 3 * 5 * scale_to_fixed(0.1, 20)]
    assert total.values.tolist() == [0, 0, 0]


def test_one_update_of_int8_at_the_limit_fits_the_bits_that_the_limit_leaves() -> None:
    """127 times a factor is what must fit; a factor alone may be above 2**55."""
    for max_abs in (0.999, 1.99, 127 / 128):
        bits, scale = fraction_bits(1, 1, max_abs), float(np.float32(max_abs / 127))
        total = ChunkSum(2, bits)
        total.add_scaled(np.array([127, -127], np.int8), scale, 1)
        assert total.values.tolist() == [127 * scale_to_fixed(scale, bits), -127 * scale_to_fixed(scale, bits)]


def test_a_shift_takes_fraction_bits_from_one_addition_alone() -> None:
    total = ChunkSum(2, 10)
    total.add(np.array([1e6, -3.0], np.float32), 5, shift=8)
    assert total.values.tolist() == [5 * 4_000_000, -5 * 12]
    total.add_scaled(np.array([3, -3], np.int8), 1e6, 1, shift=12)
    total.add_at(np.array([1]), np.array([4096.0], np.float32), 1, shift=12)
    assert total.values.tolist() == [5 * 4_000_000 + 3 * 250_000, -5 * 12 - 3 * 250_000 + 1024]


@pytest.mark.parametrize("scale", [float("nan"), float("inf"), 1e30])
def test_a_scale_that_does_not_fit_is_refused(scale: float) -> None:
    with pytest.raises(ValueError, match="scale"):
        ChunkSum(1, 20).add_scaled(np.ones(1, np.int8), scale, 1)


@pytest.mark.parametrize("total_weight", [0, -1, 2**53])
def test_a_model_needs_weight(total_weight: int) -> None:
    with pytest.raises(ValueError, match="total weight"):
        finish(np.zeros(1, np.float32), np.zeros(1, np.int64), total_weight, 30)


def test_base_and_sum_must_have_one_shape() -> None:
    with pytest.raises(ValueError, match="base of 2 elements"):
        finish(np.zeros(2, np.float32), np.zeros(1, np.int64), 1, 30)
