"""Rules that ByzFL has, against ByzFL.

ByzFL's Krum counts n - f - 1 neighbours where the paper and Fluvial count n - f - 2, so it is compared with one
Byzantine update more. It has no Bulyan and no FLTrust.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from models.aggregation.coordinates import reduce_rows
from models.aggregation.reduction import MeanAroundMedian
from models.aggregation.rule import Rule, parse_rule
from tests.laws.rules import TRIMMED, Updates, clipping, mixing, rule
from tests.laws.test_rules_against_references import N, decided


@pytest.fixture(scope="module")
def byzfl() -> Any:
    """Imported late: it takes seconds, and its absence fails these tests alone."""
    import byzfl

    return byzfl


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("rule", "theirs"),
    [
        (rule("unweighted_mean"), lambda b: [b.Average()]),
        (rule("median"), lambda b: [b.Median()]),
        (rule("trimmed_mean", num_byzantine=3), lambda b: [b.TrMean(3)]),
        (rule("krum", num_byzantine=3), lambda b: [b.Krum(4)]),
        (rule("multi_krum", num_byzantine=3, num_selected=7), lambda b: [b.MultiKrum(4)]),
        (rule("geometric_median", smoothing=0.1), lambda b: [b.GeometricMedian(0.1, 100)]),
        (rule("centered_clipping", radius=2.0, num_iterations=2), lambda b: [b.CenteredClipping(L=2, tau=2.0)]),
        (parse_rule(mixing(3, {"name": "unweighted_mean"})), lambda b: [b.NNM(3), b.Average()]),
        (parse_rule(mixing(2, TRIMMED)), lambda b: [b.NNM(2), b.TrMean(2)]),
        (parse_rule(clipping(5.0, {"name": "median"})), lambda b: [b.Clipping(5.0), b.Median()]),
        (parse_rule(clipping(6.0, mixing(2, TRIMMED))), lambda b: [b.Clipping(6.0), b.NNM(2), b.TrMean(2)]),
        (
            parse_rule(mixing(3, {"name": "geometric_median", "smoothing": 0.1})),
            lambda b: [b.NNM(3), b.GeometricMedian(0.1, 100)],
        ),
    ],
)
def test_rules_agree_with_byzfl(byzfl: Any, rule: Rule, theirs: Callable[[Any], list[Any]], seed: int) -> None:
    rows = np.random.default_rng(seed).standard_normal((N, 50)).astype(np.float32)
    rows[3] *= 30
    rows[7] += 5
    expected = rows.astype(np.float64)
    for step in theirs(byzfl):
        expected = step(expected)
    np.testing.assert_allclose(decided(rule, Updates.of(rows)), expected, rtol=0, atol=2e-5)


def test_mean_around_median_agrees_with_byzfl(byzfl: Any) -> None:
    rows = np.random.default_rng(0).standard_normal((N, 50)).astype(np.float32)
    expected = byzfl.Meamed(3)(rows.astype(np.float64))
    np.testing.assert_allclose(reduce_rows(rows, MeanAroundMedian(num_kept=N - 3)), expected, atol=1e-12)
