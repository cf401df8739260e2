"""Laws that every aggregation rule keeps, and those of the Gram matrix behind the rules that compare updates."""

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from models.aggregation.combination import combine_chunk, next_chunk
from models.aggregation.fixed_point import fraction_bits
from models.aggregation.gram import partial_gram, squared_distances, total_gram
from models.aggregation.krum_scores import scores
from models.aggregation.multi_krum import MultiKrum
from models.aggregation.plan import Measure, RoundUpdates
from models.aggregation.rule import RULES, Rule
from models.aggregation.unweighted_mean import UnweightedMean
from models.aggregation.weighted_mean import WeightedMean

N, D = 7, 5
BITS = fraction_bits(N, 1000, 64.0)
EVERY_RULE: list[Rule] = [
    WeightedMean(),
    UnweightedMean(),
    MultiKrum(num_byzantine=2),
    MultiKrum(num_byzantine=1, num_selected=3),
]

elements = st.floats(-4, 4, width=32)
claims = st.lists(st.integers(1, 1000), min_size=N, max_size=N)
rounds = st.tuples(arrays(np.float32, (N, D), elements=elements), claims)
Round = tuple[NDArray[np.float32], list[int]]


def aggregate(rule: Rule, rows: NDArray[np.float32], weights: list[int]) -> NDArray[np.float32]:
    """One round without the engine; rows ordered by their bytes, which stand in for the record digests."""
    order = sorted(range(len(rows)), key=lambda index: (rows[index].tobytes(), weights[index]))
    deltas = [rows[index] for index in order]
    updates = RoundUpdates(participants=tuple(map(str, order)), weights=tuple(weights[index] for index in order))
    plan = rule.plan(updates, None if rule.measure is Measure.NONE else partial_gram(deltas))
    return next_chunk(np.zeros(rows.shape[1], np.float32), combine_chunk(deltas, plan, BITS))


def test_the_laws_cover_every_rule() -> None:
    assert {rule.name for rule in EVERY_RULE} == set(RULES)


@pytest.mark.parametrize("rule", EVERY_RULE)
@given(chosen=rounds, permutation=st.permutations(range(N)))
def test_order_of_arrival_leaves_no_trace(rule: Rule, chosen: Round, permutation: list[int]) -> None:
    rows, weights = chosen
    shuffled = aggregate(rule, rows[permutation], [weights[index] for index in permutation])
    assert shuffled.tobytes() == aggregate(rule, rows, weights).tobytes()


@pytest.mark.parametrize("rule", EVERY_RULE)
@given(row=arrays(np.float32, D, elements=elements), weights=claims)
def test_equal_updates_give_that_update(rule: Rule, row: NDArray[np.float32], weights: list[int]) -> None:
    np.testing.assert_allclose(aggregate(rule, np.tile(row, (N, 1)), weights), row, atol=2.0**-40)


@pytest.mark.parametrize("rule", EVERY_RULE)
@given(chosen=rounds)
def test_the_result_lies_within_the_updates(rule: Rule, chosen: Round) -> None:
    rows, weights = chosen
    result = aggregate(rule, rows, weights)
    assert (result >= rows.min(axis=0) - 1e-6).all()
    assert (result <= rows.max(axis=0) + 1e-6).all()


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


@given(chosen=rounds, num_byzantine=st.integers(0, 2))
def test_scores_equal_their_twin_on_small_integers(chosen: Round, num_byzantine: int) -> None:
    rows = np.rint(chosen[0])
    exact = [[sum(Fraction(float(a - b)) ** 2 for a, b in zip(x, y, strict=True)) for y in rows] for x in rows]
    expected = tuple(
        float(sum(sorted(exact[i][j] for j in range(N) if j != i)[: N - num_byzantine - 2])) for i in range(N)
    )
    assert scores(partial_gram(list(rows)), num_byzantine) == expected


@given(chosen=rounds)
def test_gram_matrix_is_as_close_to_the_truth_as_promised(chosen: Round) -> None:
    rows = chosen[0]
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
