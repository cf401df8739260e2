import numpy as np
import pytest

from models.aggregation.gram import partial_gram, squared_distances, total_gram


def test_products_of_small_integers_are_exact() -> None:
    rows = [np.array(row, np.float32) for row in ([1, 2, 3], [4, 5, 6], [7, 8, 9])]
    assert partial_gram(rows).tolist() == [[14, 32, 50], [32, 77, 122], [50, 122, 194]]


def test_a_large_row_takes_no_precision_from_another() -> None:
    small, large = np.array([1e-12, 2e-12], np.float32), np.array([1e12, -1e12], np.float32)
    assert partial_gram([small, large])[0, 0] == partial_gram([small])[0, 0] > 0


def test_equal_rows_lie_at_distance_zero() -> None:
    row = np.random.default_rng(1).standard_normal(10000).astype(np.float32)
    assert squared_distances(partial_gram([row, row.copy()])).tolist() == [[0, 0], [0, 0]]


def test_distances_agree_with_the_direct_way() -> None:
    rows = np.random.default_rng(2).standard_normal((5, 9000)).astype(np.float32) * 1e-3
    direct = ((rows[:, None].astype(np.float64) - rows[None]) ** 2).sum(axis=2)
    np.testing.assert_allclose(squared_distances(partial_gram(list(rows))), direct, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_cannot_enter(bad: float) -> None:
    rows = [np.ones(5000, np.float32), np.ones(5000, np.float32)]
    rows[1][4999] = bad
    with pytest.raises(ValueError, match="not finite"):
        partial_gram(rows)


def test_rows_must_have_one_shape() -> None:
    with pytest.raises(ValueError, match="one length"):
        partial_gram([np.ones(3, np.float32), np.ones(4, np.float32)])


def test_a_total_needs_a_chunk() -> None:
    with pytest.raises(ValueError, match="at least one chunk"):
        total_gram([])
