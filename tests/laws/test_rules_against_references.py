"""Every rule against its slow twin; those that ByzFL has against ByzFL: tests/integration."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from models.aggregation.combination import combine_chunk
from models.aggregation.rule import RULES, Rule, parse_rule
from tests.laws import reference_rules as twin
from tests.laws.effort import examples
from tests.laws.rules import BY_NAME, TRIMMED, Updates, bits_of, clipping, mixing, plan_of, rule

N, D = 11, 4
Twin = Callable[[NDArray[np.float64], list[int]], Any]

updates = st.builds(
    Updates.of,
    arrays(np.float32, (N, D), elements=st.integers(-8, 8).map(float)),
    st.lists(st.integers(1, 1000), min_size=N, max_size=N),
)
"""Small integers: Gram matrices are exact, and rows that are equally far tie in both."""


def decided(rule: Rule, given_updates: Updates) -> NDArray[np.float64]:
    """The aggregate, rows in the order given."""
    return combine_chunk(list(given_updates.rows), plan_of(rule, given_updates), bits_of(rule, N))


TWINS: list[tuple[Rule, Twin]] = [
    (rule("weighted_mean"), lambda x, w: twin.mean(twin.exact(x), w)),
    (rule("unweighted_mean"), lambda x, w: twin.mean(twin.exact(x))),
    (rule("median"), lambda x, w: twin.by_column(twin.exact(x), twin.median)),
    (rule("trimmed_mean", num_byzantine=3), lambda x, w: twin.by_column(twin.exact(x), twin.trimmed(3))),
    (rule("krum", num_byzantine=3), lambda x, w: twin.multi_krum(twin.exact(x), 3, 1, w)),
    (rule("multi_krum", num_byzantine=4), lambda x, w: twin.multi_krum(twin.exact(x), 4, 7, w)),
    (rule("bulyan", num_byzantine=2), lambda x, w: twin.bulyan(twin.exact(x), 2)),
    (
        rule("geometric_median", smoothing=0.5, num_iterations=1000),
        lambda x, w: twin.geometric_median(x, 0.5, 1000),
    ),
    (rule("centered_clipping", radius=3.0), lambda x, w: twin.centered_clipping(x, 3.0, 3)),
    (rule("fltrust", root_participant="participant-0"), lambda x, w: twin.fltrust(x, 0)),
    (
        parse_rule(clipping(5.0, {"name": "weighted_mean"})),
        lambda x, w: np.average([twin.clip(row, 5.0) for row in x], axis=0, weights=w),
    ),
    (
        parse_rule(clipping(5.0, {"name": "median"})),
        lambda x, w: np.median([twin.clip(row, 5.0) for row in x], axis=0),
    ),
    (parse_rule(mixing(3, {"name": "weighted_mean"})), lambda x, w: twin.mean(twin.mixed(twin.exact(x), 3), w)),
    (
        parse_rule(mixing(2, TRIMMED)),
        lambda x, w: twin.by_column(twin.mixed(twin.exact(x), 2), twin.trimmed(2)),
    ),
]


def test_every_rule_has_a_twin() -> None:
    assert {its_rule.name for its_rule, _ in TWINS} == set(RULES) == {rule.name for rule in BY_NAME.values()}


@pytest.mark.parametrize(("rule", "reference"), TWINS)
@examples(12)
@given(updates=updates)
def test_rules_equal_their_slow_twins(rule: Rule, reference: Twin, updates: Updates) -> None:
    expected = [float(value) for value in reference(updates.rows.astype(np.float64), list(updates.weights))]
    np.testing.assert_allclose(decided(rule, updates), expected, rtol=0, atol=5e-6)
