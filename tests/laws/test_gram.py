"""Laws of the Gram matrix behind the rules that compare updates, and of Krum's scores."""

from fractions import Fraction
from itertools import combinations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from models.aggregation.gram import partial_gram, partial_norm, squared_distances, squared_distances_to, total_gram
from models.aggregation.krum_scores import scores
from models.aggregation.multi_krum import MultiKrum
from models.aggregation.plan import RoundUpdates

N, D = 7, 5
matrices = arrays(np.float32, (N, D), elements=st.floats(-4, 4, width=32))


@given(
    honest=arrays(np.float32, (N - 2, D), elements=st.floats(0.5, 1, width=32)),
    attack=arrays(np.float32, (2, D), elements=st.floats(-64, -16, width=32)),
    position=st.integers(0, N - 2),
)
def test_multi_krum_keeps_far_attackers_out(
    honest: NDArray[np.float32], attack: NDArray[np.float32], position: int
) -> None:
    rows = np.concatenate([honest[:position], attack, honest[position:]])
    updates = RoundUpdates(participants=tuple(map(str, range(N))), weights=(1,) * N)
    plan = MultiKrum(num_byzantine=2).plan(updates, partial_gram(list(rows)))
    assert [index for index, weight in enumerate(plan.effective_weights) if not weight] == [position, position + 1]


@given(rows=matrices, num_byzantine=st.integers(0, 2))
def test_scores_equal_their_twin_on_small_integers(rows: NDArray[np.float32], num_byzantine: int) -> None:
    rows = np.rint(rows)
    exact = [[sum(Fraction(float(a - b)) ** 2 for a, b in zip(x, y, strict=True)) for y in rows] for x in rows]
    expected = tuple(
        float(sum(sorted(exact[i][j] for j in range(N) if j != i)[: N - num_byzantine - 2])) for i in range(N)
    )
    assert scores(partial_gram(list(rows)), num_byzantine) == expected


@given(rows=matrices)
def test_gram_matrix_is_as_close_to_the_truth_as_promised(rows: NDArray[np.float32]) -> None:
    gram = partial_gram(list(rows))
    for i, j in combinations(range(N), 2):
        exact = sum(Fraction(float(a)) * Fraction(float(b)) for a, b in zip(rows[i], rows[j], strict=True))
        bound = D * Fraction(float(np.abs(rows[i]).max())) * Fraction(float(np.abs(rows[j]).max())) / 2**38
        assert abs(Fraction(gram[i, j]) - exact) <= bound
        assert gram[i, j] == gram[j, i]


@given(seed=st.integers(0, 2**32 - 1), chosen=st.sets(st.integers(0, 9), min_size=2))
def test_an_entry_depends_on_its_two_rows_alone(seed: int, chosen: set[int]) -> None:
    rows = np.random.default_rng(seed).standard_normal((10, 4500)).astype(np.float32)
    rows *= np.logspace(-8, 8, 10, dtype=np.float32)[:, None]
    some = sorted(chosen)
    assert partial_norm(rows[some[0]]) == partial_gram(list(rows))[some[0], some[0]]
    assert partial_gram([rows[i] for i in some]).tobytes() == partial_gram(list(rows))[np.ix_(some, some)].tobytes()


@given(seed=st.integers(0, 2**32 - 1))
def test_blas_has_no_say_in_the_bits(seed: int) -> None:
    """The same products, added by numpy in another order than any BLAS kernel's, and element by element reversed."""
    rows = np.random.default_rng(seed).standard_normal((3, 4096)).astype(np.float32)
    backwards = partial_gram([row[::-1].copy() for row in rows])
    assert partial_gram(list(rows)).tobytes() == backwards.tobytes()


@given(seed=st.integers(0, 2**32 - 1))
def test_chunks_add_up_in_chunk_order(seed: int) -> None:
    rows = np.random.default_rng(seed).standard_normal((4, 300)).astype(np.float32)
    parts = [partial_gram([row[start : start + 100] for row in rows]) for start in (0, 100, 200)]
    whole = squared_distances(partial_gram(list(rows)))
    np.testing.assert_allclose(squared_distances(total_gram(parts)), whole, rtol=1e-9)


@given(rows=matrices, shares=arrays(np.float64, N, elements=st.floats(0, 1)))
def test_distances_to_a_combination_are_those_to_the_point(
    rows: NDArray[np.float32], shares: NDArray[np.float64]
) -> None:
    point = (shares[:, None] * rows.astype(np.float64)).sum(axis=0)
    expected = ((rows - point) ** 2).sum(axis=1)
    np.testing.assert_allclose(squared_distances_to(partial_gram(list(rows)), shares), expected, rtol=0, atol=1e-7)
