"""Laws that aggregation rules keep, all of them or those that a law is about."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from models.aggregation.combination import combine_chunk
from models.aggregation.rule import RULES, Rule, parse_rule
from tests.laws.effort import examples
from tests.laws.rules import (
    BY_NAME,
    KRUM,
    MAX_WEIGHT,
    MEDIAN,
    TRIMMED,
    Updates,
    aggregate,
    bits_of,
    clipping,
    mean_delta,
    mixing,
    plan_of,
    rule,
)

N, D = 7, 5
EVERY_RULE = [pytest.param(rule, id=name) for name, rule in BY_NAME.items()]
LINEAR = {"weighted mean", "unweighted mean"}
SHRINKING = {"centered clipping", "fltrust", "short clipping, median", "short clipping twice, weighted mean"}
"""Rules whose result may leave the updates' range towards the base model."""

elements = st.floats(-4, 4, width=32)
whole_numbers = st.integers(-4, 4).map(float)
claims = st.lists(st.integers(1, MAX_WEIGHT), min_size=N, max_size=N)
rounds = st.builds(Updates.of, arrays(np.float32, (N, D), elements=elements), claims)
small_integers = st.builds(Updates.of, arrays(np.float32, (N, D), elements=whole_numbers), claims)
"""Updates whose Gram matrix is exact, so that what is equally far stays equally far when all are doubled."""

_OFFSETS = np.random.default_rng(7).integers(-512, 512, (N, D)).astype(np.float32) / 1024
apart = small_integers.map(lambda each: Updates(each.rows + _OFFSETS, each.weights, each.participants))
"""Updates none of which are equally far. Distances between mixtures are rounded, so that which of two equal ones is the
lesser changes when all are moved; and sums with their moves stay exact in float32."""


def rules_but(left_out: set[str]) -> list[object]:
    """Parameters for a law that some rules do not keep."""
    return [pytest.param(rule, id=name) for name, rule in BY_NAME.items() if name not in left_out]


def test_the_laws_cover_every_rule() -> None:
    assert {rule.name for rule in BY_NAME.values()} == set(RULES)


@pytest.mark.parametrize("rule", EVERY_RULE)
@examples(8)
@given(updates=rounds, permutation=st.permutations(range(N)))
def test_order_of_arrival_leaves_no_trace(rule: Rule, updates: Updates, permutation: list[int]) -> None:
    assert aggregate(rule, updates.reordered(permutation)).tobytes() == aggregate(rule, updates).tobytes()


@pytest.mark.parametrize("rule", rules_but({"short clipping, median", "short clipping twice, weighted mean"}))
@examples(8)
@given(row=arrays(np.float32, D, elements=elements), weights=claims)
def test_equal_updates_give_that_update(rule: Rule, row: NDArray[np.float32], weights: list[int]) -> None:
    result = mean_delta(rule, Updates.of(np.tile(row, (N, 1)), weights))
    np.testing.assert_allclose(result, row, rtol=0, atol=2.0 ** -bits_of(rule, N))


@pytest.mark.parametrize("rule", rules_but(SHRINKING))
@examples(8)
@given(updates=rounds)
def test_the_result_lies_within_the_updates(rule: Rule, updates: Updates) -> None:
    result = aggregate(rule, updates)
    assert (result >= updates.rows.min(axis=0) - 1e-6).all()
    assert (result <= updates.rows.max(axis=0) + 1e-6).all()


@pytest.mark.parametrize("rule", rules_but(SHRINKING | {"geometric median", "mixing, clipping, geometric median"}))
@examples(8)
@given(updates=apart, shift=arrays(np.float32, D, elements=whole_numbers))
def test_what_moves_all_updates_moves_the_result(rule: Rule, updates: Updates, shift: NDArray[np.float32]) -> None:
    moved = Updates(updates.rows + shift, updates.weights, updates.participants)
    # rows in one order for both: digests of moved updates would break ties in another way
    results = [combine_chunk(list(each.rows), plan_of(rule, each), bits_of(rule, N, 16.0)) for each in (updates, moved)]
    np.testing.assert_allclose(results[1], results[0] + shift, rtol=0, atol=1e-9)


@pytest.mark.parametrize("rule", rules_but({"geometric median", "mixing, clipping, geometric median"} | SHRINKING))
@examples(8)
@given(updates=small_integers)
def test_what_doubles_all_updates_doubles_the_result(rule: Rule, updates: Updates) -> None:
    doubled = Updates(updates.rows * np.float32(2), updates.weights, updates.participants)
    results = [combine_chunk(list(each.rows), plan_of(rule, each), bits_of(rule, N)) for each in (updates, doubled)]
    assert results[1].tobytes() == (2 * results[0]).tobytes()


@examples(8)
@given(updates=small_integers)
def test_rules_with_a_length_scale_with_it(updates: Updates) -> None:
    doubled = Updates(updates.rows * np.float32(2), updates.weights, updates.participants)
    for name, length in (("clipped", "max_norm"), ("centered_clipping", "radius")):
        inner = {"rule": MEDIAN} if name == "clipped" else {}
        once, twice = (rule(name, **{length: size}, **inner) for size in (1.5, 3.0))
        bits = bits_of(once, N)
        results = [
            combine_chunk(list(each.rows), plan_of(its_rule, each), bits)
            for its_rule, each in ((once, updates), (twice, doubled))
        ]
        assert results[1].tobytes() == (2 * results[0]).tobytes()


@pytest.mark.parametrize("rule", EVERY_RULE)
@examples(8)
@given(updates=rounds)
def test_coefficients_stay_within_the_bound_that_fixes_the_precision(rule: Rule, updates: Updates) -> None:
    plan = plan_of(rule, updates)
    assert 0 < plan.coefficient_sum <= rule.coefficient_bound(N, max(updates.weights))
    assert rule.coefficient_bound(N, max(updates.weights)) <= rule.coefficient_bound(N, MAX_WEIGHT)
    assert len(plan.effective_weights) == N
    assert len(plan.scores) in (0, N)


@pytest.mark.parametrize("rule", EVERY_RULE)
@given(seed=st.integers(0, 2**32 - 1), num_shards=st.sampled_from([2, 3, 4]))
@examples(3)
def test_shards_leave_no_trace(rule: Rule, seed: int, num_shards: int) -> None:
    """Chunks measured by shards, planned once, combined by shards, against all in one place."""
    rows = np.random.default_rng(seed).standard_normal((N, 1000)).astype(np.float32)
    updates, bits = Updates.of(rows, list(range(1, N + 1))).by_digest(), bits_of(rule, N)
    chunks = [slice(start, min(start + 150, 1000)) for start in range(0, 1000, 150)]
    plan = plan_of(rule, updates, chunks)
    assert plan == plan_of(rule, updates, chunks)
    parts: dict[int, NDArray[np.float64]] = {}
    for shard in range(num_shards):
        for index in reversed(range(shard, len(chunks), num_shards)):
            parts[index] = combine_chunk([row[chunks[index]] for row in updates.rows], plan, bits)
    together = np.concatenate([parts[index] for index in sorted(parts)])
    assert together.tobytes() == combine_chunk(list(updates.rows), plan, bits).tobytes()


@pytest.mark.parametrize("rule", EVERY_RULE)
def test_what_a_plan_leaves_out_need_not_be_read(rule: Rule) -> None:
    rows = np.random.default_rng(3).standard_normal((N, 100)).astype(np.float32)
    updates, bits = Updates.of(rows), bits_of(rule, N)
    plan = plan_of(rule, updates)
    some = [row if weight else None for row, weight in zip(rows, plan.effective_weights, strict=True)]
    assert combine_chunk(some, plan, bits).tobytes() == combine_chunk(list(rows), plan, bits).tobytes()


@pytest.mark.parametrize("rule", EVERY_RULE)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_never_enters(rule: Rule, bad: float) -> None:
    rows = np.ones((N, 100), np.float32)
    plan = plan_of(rule, Updates.of(rows))
    taken = next(index for index, weight in enumerate(plan.effective_weights) if weight)
    rows[taken, 77] = bad
    with pytest.raises(ValueError, match="not finite"):
        combine_chunk(list(rows), plan, bits_of(rule, N))


# What each rule says that it withstands, of so many updates: (rule, updates, Byzantine ones).
BREAKDOWN = [
    (rule("weighted_mean"), 11, 0),
    (rule("unweighted_mean"), 11, 0),
    (rule("median"), 11, 5),
    (rule("median"), 12, 5),
    (rule("trimmed_mean", num_byzantine=5), 11, 5),
    (rule("trimmed_mean", num_byzantine=5), 10, 0),
    (rule("krum", num_byzantine=4), 11, 4),
    (rule("krum", num_byzantine=4), 10, 0),
    (rule("multi_krum", num_byzantine=4), 11, 4),
    (rule("bulyan", num_byzantine=2), 11, 2),
    (rule("bulyan", num_byzantine=2), 10, 0),
    (rule("geometric_median"), 11, 5),
    (rule("centered_clipping", radius=4.0), 11, 1),
    (rule("fltrust", root_participant="participant-0"), 11, 10),
    (parse_rule(clipping(4.0, MEDIAN)), 11, 5),
    (parse_rule(mixing(4, {"name": "trimmed_mean", "num_byzantine": 4})), 11, 4),
    (parse_rule(mixing(2, KRUM)), 11, 2),
    (parse_rule(mixing(5, TRIMMED)), 11, 2),
    (parse_rule(clipping(4.0, mixing(4, MEDIAN))), 11, 4),
]


@pytest.mark.parametrize(("rule", "num_updates", "expected"), BREAKDOWN)
def test_every_rule_states_its_breakdown_point(rule: Rule, num_updates: int, expected: int) -> None:
    assert rule.breakdown_point(num_updates) == expected


def test_a_breakdown_point_is_known_of_every_rule() -> None:
    assert {rule.name for rule, _, _ in BREAKDOWN} == set(RULES)


@pytest.mark.parametrize(
    ("rule", "least"),
    [
        (rule("weighted_mean"), 1),
        (rule("unweighted_mean"), 1),
        (rule("median", num_byzantine=3), 7),
        (rule("trimmed_mean", num_byzantine=3), 7),
        (rule("krum", num_byzantine=3), 9),
        (rule("multi_krum", num_byzantine=3), 9),
        (rule("multi_krum", num_byzantine=3, num_selected=8), 11),
        (rule("bulyan", num_byzantine=3), 15),
        (rule("geometric_median", num_byzantine=3), 7),
        (rule("centered_clipping", radius=1.0, num_byzantine=3), 30),
        (rule("fltrust", root_participant="a"), 1),
        (parse_rule(clipping(1.0, {"name": "krum", "num_byzantine": 3})), 9),
        (parse_rule(mixing(3, {"name": "median"})), 7),
        (parse_rule(mixing(1, {"name": "krum", "num_byzantine": 3})), 9),
    ],
)
def test_a_quorum_below_the_promise_is_refused(rule: Rule, least: int) -> None:
    rule.check_quorum(least)
    with pytest.raises(ValueError, match="quorum"):
        rule.check_quorum(least - 1)


@pytest.mark.parametrize(
    "spec",
    [mixing(1, {"name": "weighted_mean"}), mixing(3, TRIMMED), mixing(2, clipping(1.0, {"name": "unweighted_mean"}))],
)
def test_mixing_needs_a_rule_that_withstands_as_many(spec: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="the rule"):
        parse_rule(spec).check_quorum(1000)


@pytest.mark.parametrize(
    ("rule", "num_updates", "num_byzantine"),
    [entry for entry in BREAKDOWN if entry[2]] + [(parse_rule(clipping(4.0, {"name": "weighted_mean"})), 11, 5)],
)
@examples(8)
@given(data=st.data())
def test_attackers_far_away_cannot_move_the_result_far(
    rule: Rule, num_updates: int, num_byzantine: int, data: st.DataObject
) -> None:
    num_honest = num_updates - num_byzantine
    honest = data.draw(arrays(np.float32, (num_honest, D), elements=st.floats(-1, 1, width=32)), label="honest")
    far = st.floats(-(2.0**20), 2.0**20, width=32)
    if data.draw(st.booleans(), label="colluding"):
        attack = np.tile(data.draw(arrays(np.float32, D, elements=far), label="attack"), (num_byzantine, 1))
    else:
        attack = data.draw(arrays(np.float32, (num_byzantine, D), elements=far), label="attacks")
    result = aggregate(rule, Updates.of(np.concatenate([honest, attack])), max_abs=2.0**20)
    assert np.linalg.norm(result) < 40
