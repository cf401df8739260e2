import numpy as np
import pytest

from models.aggregation.gram import partial_gram
from models.aggregation.median import CoordinateMedian
from models.aggregation.nearest_neighbour_mixing import NearestNeighbourMixing, mixed_gram, neighbours
from models.aggregation.trimmed_mean import CoordinateTrimmedMean
from models.aggregation.weighted_mean import WeightedMean
from tests.unit.models.aggregation.builders import NINE, aggregate, plan_of


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
