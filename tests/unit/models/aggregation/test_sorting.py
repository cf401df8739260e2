from itertools import product

import numpy as np
import pytest

from models.aggregation.sorting import MAX_NETWORK_ROWS, network, sort_rows


@pytest.mark.parametrize("count", range(1, 11))
def test_the_network_sorts_every_sequence_of_zeros_and_ones(count: int) -> None:
    # Enough for all values: the 0-1 principle (Knuth, The Art of Computer Programming 3, 5.3.4, theorem Z).
    columns = np.array(list(product([0, 1], repeat=count)), np.int64).T
    assert (np.stack(sort_rows(columns.copy(), range(count))) == np.sort(columns, axis=0)).all()
    for place in range(count):
        assert (sort_rows(columns.copy(), [place])[place] == np.sort(columns, axis=0)[place]).all()


@pytest.mark.parametrize("count", [11, 16, 31, 32, 33, 64, 101])
@pytest.mark.parametrize("kind", [np.float32, np.int64])
def test_rows_of_any_number_are_sorted(count: int, kind: type) -> None:
    rows = (np.random.default_rng(count).standard_normal((count, 50)) * 1e6).astype(kind)
    assert (np.stack(sort_rows(rows.copy(), range(count))) == np.sort(rows, axis=0)).all()
    middle = [count // 2]
    assert (sort_rows(rows.copy(), middle)[count // 2] == np.sort(rows, axis=0)[count // 2]).all()


def test_what_nobody_looks_at_is_not_compared() -> None:
    everything = network(MAX_NETWORK_ROWS, tuple(range(MAX_NETWORK_ROWS)))
    assert len(everything) == 191
    assert len(network(MAX_NETWORK_ROWS, (15, 16))) < len(everything)
    assert network(MAX_NETWORK_ROWS, ()) == ()
