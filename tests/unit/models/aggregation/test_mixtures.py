import numpy as np
import pytest

from models.aggregation.mixtures import Mixtures


@pytest.mark.parametrize("num_rows", [1, 5, 70])
@pytest.mark.parametrize("largest", [1, 1000, 2**24])
@pytest.mark.parametrize("value_bits", [1, 20, 21, 32])
def test_both_ways_equal_pythons_integers(num_rows: int, largest: int, value_bits: int) -> None:
    random = np.random.default_rng(num_rows)
    coefficients = random.integers(0, largest + 1, (6, num_rows)).tolist()
    coefficients[3] = [largest] * num_rows
    bound = 2**value_bits - 1
    rows = random.integers(-bound, bound + 1, (num_rows, 40))
    rows[:, 0], rows[:, 1] = bound, -bound
    expected = [
        [sum(c * x for c, x in zip(row, column, strict=True)) for column in rows.T.tolist()] for row in coefficients
    ]
    mixtures = Mixtures(coefficients)
    assert mixtures.by_shared_terms(rows).tolist() == expected
    assert mixtures.by_products(rows).tolist() == expected
    assert mixtures.of(rows).tolist() == expected


def test_the_largest_values_fit() -> None:
    rows = np.array([[2**61 - 1, -(2**61) + 1], [0, 0]], np.int64)
    for way in (Mixtures([[1, 7]]).by_products, Mixtures([[1, 7]]).by_shared_terms):
        assert way(rows).tolist() == [[2**61 - 1, -(2**61) + 1]]


def test_zeros_give_zeros() -> None:
    mixtures = Mixtures([[1] * 4])
    for way in (mixtures.by_products, mixtures.by_shared_terms):
        assert way(np.zeros((4, 3), np.int64)).tolist() == [[0, 0, 0]]
