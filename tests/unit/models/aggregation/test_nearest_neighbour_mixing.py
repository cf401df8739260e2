import numpy as np
import pytest
from numpy.typing import NDArray

from models.aggregation.bulyan import Bulyan
from models.aggregation.centered_clipping import CenteredClipping
from models.aggregation.clipped import Clipped
from models.aggregation.fltrust import FLTrust
from models.aggregation.geometric_median import GeometricMedian
from models.aggregation.gram import partial_gram
from models.aggregation.krum import Krum
from models.aggregation.median import CoordinateMedian
from models.aggregation.multi_krum import MultiKrum
from models.aggregation.nearest_neighbour_mixing import NearestNeighbourMixing, mixed_gram, neighbours
from models.aggregation.plan import Rule
from models.aggregation.trimmed_mean import CoordinateTrimmedMean
from models.aggregation.weighted_mean import WeightedMean
from tests.unit.models.aggregation.builders import NINE, aggregate, gram_of, plan_of


def test_known_answer_of_byzfl() -> None:
    # NNM with f = 1 gives the rows [2.5, 3.5, 4.5] twice and [5.5, 6.5, 7.5]
    plan = plan_of(NearestNeighbourMixing(num_byzantine=1, rule=CoordinateMedian()), NINE)
    assert plan.rows == ((1, 1, 0), (1, 1, 0), (0, 1, 1))
    assert plan.divisor == 2
    result = aggregate(NearestNeighbourMixing(num_byzantine=1, rule=CoordinateMedian()), NINE)
    assert result.tolist() == [2.5, 3.5, 4.5]


def test_an_update_is_its_own_neighbour_even_among_equals() -> None:
    gram = partial_gram([np.ones(3, np.float32)] * 4)
    assert neighbours(gram, 1) == [[0], [1], [2], [3]]
    assert neighbours(gram, 2) == [[0, 1], [0, 1], [0, 2], [0, 3]]


def test_the_rule_inside_sees_the_mixed_updates() -> None:
    rows = np.random.default_rng(5).standard_normal((6, 4)).astype(np.float32)
    near = neighbours(partial_gram(list(rows)), 4)
    mixed = np.stack([rows[those].astype(np.float64).mean(axis=0) for those in near])
    gram = mixed_gram(partial_gram(list(rows)), near)
    np.testing.assert_allclose(gram, mixed @ mixed.T, atol=1e-9)
    assert (gram == gram.T).all()


def test_weights_go_with_the_update_that_was_mixed() -> None:
    result = aggregate(NearestNeighbourMixing(num_byzantine=1, rule=WeightedMean()), NINE, weights=[1, 2, 5])
    np.testing.assert_allclose(result, (3 * np.array([2.5, 3.5, 4.5]) + 5 * np.array([5.5, 6.5, 7.5])) / 8, atol=1e-9)


def test_two_attackers_of_seven_are_mixed_away() -> None:
    rows = [[1.0], [1.1], [0.9], [1.05], [0.95], [900.0], [-900.0]]
    rule = NearestNeighbourMixing(num_byzantine=2, rule=CoordinateTrimmedMean(num_byzantine=2))
    np.testing.assert_allclose(aggregate(rule, rows), [1.0], atol=1e-6)


def test_half_or_more_attackers_are_refused() -> None:
    with pytest.raises(ValueError, match="nearest_neighbour_mixing"):
        plan_of(NearestNeighbourMixing(num_byzantine=2, rule=CoordinateMedian()), NINE)
    with pytest.raises(ValueError, match="below 0"):
        NearestNeighbourMixing(num_byzantine=-1, rule=CoordinateMedian())


MEASURING: list[Rule] = [
    GeometricMedian(),
    Krum(num_byzantine=0),
    MultiKrum(num_byzantine=0),
    Bulyan(num_byzantine=0),
    CenteredClipping(radius=1.0),
    FLTrust(root_participant="a"),
    Clipped(max_norm=1.0, rule=GeometricMedian()),
    NearestNeighbourMixing(num_byzantine=0, rule=GeometricMedian()),
]


@pytest.mark.parametrize("rule", MEASURING, ids=lambda rule: rule.name)
def test_updates_that_cancel_in_the_mixture_are_a_round_like_any_other(rule: Rule) -> None:
    """By rounding the squared norm of what cancels may lie below 0."""
    half = [[0.9, 0.2], [-0.7, 0.1], [-0.4, -0.4]]
    rows = half + [[-x for x in row] for row in half]
    result = aggregate(NearestNeighbourMixing(num_byzantine=0, rule=rule), rows)
    np.testing.assert_allclose(result, [0, 0], atol=1e-7)


@pytest.mark.parametrize(("count", "num_byzantine"), [(9, 2), (11, 3)])
@pytest.mark.parametrize("inside", ["geometric_median", "multi_krum"])
def test_attackers_who_cancel_their_neighbours_cannot_make_rounds_fail(
    count: int, num_byzantine: int, inside: str
) -> None:
    """Two know the honest updates: one takes what cancels the nearest of them in float32, the other the exact rest."""
    rule: Rule = GeometricMedian() if inside == "geometric_median" else MultiKrum(num_byzantine=num_byzantine)
    below = 0
    for seed in range(30):
        rows = cancelling(count, num_byzantine, seed)
        gram = gram_of(rows.tolist())
        near = neighbours(gram, count - num_byzantine)
        mixed = [np.sum(rows[those].astype(np.float64), axis=0) for those in near]
        below += any(not row.any() for row in mixed)
        aggregate(NearestNeighbourMixing(num_byzantine=num_byzantine, rule=rule), rows.tolist())
    assert below > 0, "no trial in which a mixture cancels"


def cancelling(count: int, num_byzantine: int, seed: int) -> NDArray[np.float32]:
    """A round float32[N, 5] in which the last two updates cancel the honest updates nearest to them."""
    random = np.random.default_rng(seed)
    honest = (0.05 + random.standard_normal((count - num_byzantine, 5))).astype(np.float32)
    idle = np.zeros((num_byzantine - 2, 5), np.float32) + np.float32(1e4)
    cancelled = honest[np.argsort((honest.astype(np.float64) ** 2).sum(axis=1))[: count - num_byzantine - 2]]
    total = cancelled.astype(np.float64).sum(axis=0)
    first = (-total).astype(np.float32)
    second = (-(total + first)).astype(np.float32)
    return np.concatenate([honest, idle, first[None], second[None]])
