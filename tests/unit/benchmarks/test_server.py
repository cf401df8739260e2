"""The simulated server is the federation's: limits, rules, exact sums."""

import numpy as np

from models.aggregation.rule import parse_rule
from models.aggregation.staleness import Polynomial
from tests.benchmarks.simulation.server import CHUNK_ELEMENTS, Server, applied

NAMES = ["a", "b", "c", "d", "e"]
UPDATES = np.random.default_rng(0).normal(0.0, 1.0, (5, CHUNK_ELEMENTS + 100)).astype(np.float32)


def test_the_mean_is_the_mean_and_weights_count() -> None:
    server = Server(rule=parse_rule({"name": "weighted_mean"}), target=5, max_weight=10)
    weights = [1, 2, 3, 4, 10]
    delta = server.delta(UPDATES, NAMES, weights)
    assert delta is not None
    np.testing.assert_allclose(delta, np.average(UPDATES.astype(np.float64), axis=0, weights=weights), atol=1e-9)


def test_the_order_of_updates_leaves_no_trace() -> None:
    server = Server(rule=parse_rule({"name": "multi_krum", "num_byzantine": 1}), target=5)
    order = [3, 1, 4, 0, 2]
    one, other = server.delta(UPDATES, NAMES), server.delta(UPDATES[order], [NAMES[place] for place in order])
    assert one is not None
    assert np.array_equal(one, other)


def test_an_update_that_is_not_finite_or_too_large_is_refused() -> None:
    server = Server(rule=parse_rule({"name": "unweighted_mean"}), target=5, max_abs=100.0)
    broken = UPDATES.copy()
    broken[1, 7], broken[2, 8], broken[3, 9] = np.nan, np.inf, 101.0
    delta, expected = server.delta(broken, NAMES), server.delta(UPDATES[[0, 4]], ["a", "e"])
    assert delta is not None
    assert np.array_equal(delta, expected)


def test_a_stale_update_counts_less_and_shortens_the_step() -> None:
    server = Server(rule=parse_rule({"name": "unweighted_mean"}), target=5, staleness=Polynomial(0.5))
    delta = server.delta(UPDATES, NAMES, lags=[0, 0, 0, 0, 3])
    assert delta is not None
    expected = (UPDATES[:4].astype(np.float64).sum(axis=0) + UPDATES[4] / 2) / 5
    np.testing.assert_allclose(delta, expected, atol=1e-6)


def test_a_round_with_too_few_updates_fails_and_leaves_the_model() -> None:
    server = Server(rule=parse_rule({"name": "multi_krum", "num_byzantine": 1}), target=5)
    broken = UPDATES.copy()
    broken[:2] = np.nan
    assert server.delta(broken, NAMES) is None
    model = UPDATES[0]
    assert applied(model, None) is model
