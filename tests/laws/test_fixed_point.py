"""Laws of the exact sum: it equals its slow twin; order, shards, retries and merges leave no trace in it."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from models.aggregation.fixed_point import ChunkSum, finish, fraction_bits, to_fixed
from tests.laws.effort import examples

TARGET, MAX_WEIGHT, MAX_ABS = 8, 1000, 4.0
BITS = fraction_bits(TARGET, MAX_WEIGHT, MAX_ABS)

elements = st.floats(-MAX_ABS, MAX_ABS, width=32, allow_subnormal=True)
updates = st.integers(1, 9).flatmap(
    lambda size: st.lists(
        st.tuples(arrays(np.float32, size, elements=elements), st.integers(1, MAX_WEIGHT)), min_size=1, max_size=TARGET
    )
)
Updates = list[tuple[NDArray[np.float32], int]]


def slow_fixed(value: float, bits: int) -> int:
    return round(Fraction(value) * 2**bits)


def slow_sum(chosen: Updates, bits: int) -> list[int]:
    return [sum(weight * slow_fixed(float(x[i]), bits) for x, weight in chosen) for i in range(chosen[0][0].size)]


def slow_finish(base: float, total: int, total_weight: int, bits: int) -> float:
    return float(np.float32(float(total) / float(total_weight * 2**bits) + base))


def fast_sum(chosen: Updates) -> ChunkSum:
    total = ChunkSum(chosen[0][0].size, BITS)
    for values, weight in chosen:
        total.add(values, weight)
    return total


@given(arrays(np.float32, 20, elements=st.floats(-1e6, 1e6, width=32)), st.integers(0, 40))
def test_conversion_equals_its_twin(values: NDArray[np.float32], bits: int) -> None:
    assert to_fixed(values, bits).tolist() == [slow_fixed(float(value), bits) for value in values]


@given(updates)
def test_sum_equals_its_twin(chosen: Updates) -> None:
    total = fast_sum(chosen)
    assert total.values.tolist() == slow_sum(chosen, BITS)


@given(updates, elements)
def test_model_equals_its_twin_and_is_the_weighted_mean(chosen: Updates, base: float) -> None:
    total, total_weight = fast_sum(chosen), sum(weight for _, weight in chosen)
    model = finish(np.full(total.values.size, base, np.float32), total.values, total_weight, BITS)
    assert model.tolist() == [slow_finish(base, value, total_weight, BITS) for value in total.values.tolist()]
    for i, value in enumerate(model):
        exact = Fraction(base) + sum(w * Fraction(float(x[i])) for x, w in chosen) / total_weight
        assert abs(Fraction(float(value)) - exact) <= Fraction(float(np.spacing(np.abs(value)))) / 2 + Fraction(
            1, 2**40
        )


@given(updates, st.randoms())
def test_order_leaves_no_trace(chosen: Updates, random: st.DrawFn) -> None:
    shuffled = list(chosen)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert fast_sum(shuffled).values.tobytes() == fast_sum(chosen).values.tobytes()


@given(updates, st.data())
def test_any_split_into_chunks_gives_the_same_sum(chosen: Updates, data: st.DataObject) -> None:
    size = chosen[0][0].size
    cuts = sorted({0, size, *data.draw(st.lists(st.integers(0, size)))})
    parts = [fast_sum([(x[start:stop], w) for x, w in chosen]).values for start, stop in pairwise(cuts)]
    assert np.concatenate(parts).tobytes() == fast_sum(chosen).values.tobytes()


@given(updates, st.data())
def test_a_retry_leaves_no_trace(chosen: Updates, data: st.DataObject) -> None:
    total = fast_sum(chosen)
    again = data.draw(st.lists(st.sampled_from(range(len(chosen)))))
    for index in again:
        values, weight = chosen[index]
        total.add(values, -weight)
        total.add(values, weight)
    assert total.values.tobytes() == fast_sum(chosen).values.tobytes()


@given(updates, st.data())
def test_merging_partial_sums_equals_one_sum(chosen: Updates, data: st.DataObject) -> None:
    owners = data.draw(st.lists(st.integers(0, 2), min_size=len(chosen), max_size=len(chosen)))
    merged = ChunkSum(chosen[0][0].size, BITS)
    for owner in data.draw(st.permutations(range(3))):
        partial = ChunkSum(chosen[0][0].size, BITS)
        for (values, weight), its_owner in zip(chosen, owners, strict=True):
            if its_owner == owner:
                partial.add(values, weight)
        merged.add_integers(partial.values, 1)
    assert merged.values.tobytes() == fast_sum(chosen).values.tobytes()


@given(
    arrays(np.int8, 10),
    st.integers(0, 10),
    st.floats(0, 0.03),
    st.floats(0, 0.03),
    st.integers(1, MAX_WEIGHT),
    st.integers(0, 47),
)
def test_codes_and_scales_equal_their_twin(
    values: NDArray[np.int8], cut: int, first: float, second: float, weight: int, bits: int
) -> None:
    total = ChunkSum(10, bits)
    total.add_scaled(values[:cut], first, weight)
    total.add_scaled(values[cut:], second, weight, start=cut)
    scales = [first] * cut + [second] * (10 - cut)
    assert total.values.tolist() == [
        weight * int(q) * round(Fraction(scale) * 2**bits) for q, scale in zip(values, scales, strict=True)
    ]


@given(arrays(np.float32, 10, elements=elements), st.sets(st.integers(0, 9)), st.integers(1, MAX_WEIGHT))
def test_what_is_added_at_some_places_is_what_is_added_with_zeros_between(
    values: NDArray[np.float32], places: set[int], weight: int
) -> None:
    indices = np.array(sorted(places), np.int64)
    sparse, dense = ChunkSum(10, BITS), ChunkSum(10, BITS)
    sparse.add_at(indices, values[indices], weight)
    between = np.zeros(10, np.float32)
    between[indices] = values[indices]
    dense.add(between, weight)
    assert sparse.values.tobytes() == dense.values.tobytes()


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.floats(1e-300, 1e12))
def test_no_round_can_overflow(target: int, max_weight: int, max_abs: float) -> None:
    if target * max_weight * Fraction(max_abs) >= 2**62:
        return
    bits = fraction_bits(target, max_weight, max_abs)
    bound = target * max_weight * Fraction(max_abs)
    assert bound * 2**bits < 2**62
    assert bits == 62 or bound * 2 ** (bits + 1) >= 2**62
    assert target * max_weight * (round(Fraction(max_abs) * 2**bits) + 64) < 2**63


@examples(10)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 16383, 16384, 16385, 50001]))
def test_chunks_longer_than_a_tile_equal_their_parts(seed: int, size: int) -> None:
    values = np.random.default_rng(seed).uniform(-MAX_ABS, MAX_ABS, size).astype(np.float32)
    parts = np.concatenate([to_fixed(part, BITS) for part in np.array_split(values, 7)])
    assert to_fixed(values, BITS).tobytes() == parts.tobytes()
