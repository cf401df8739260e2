import numpy as np
import pytest

from models.aggregation.clipped import Clipped
from models.aggregation.coefficients import MAX_COMPOSED_SUM
from models.aggregation.krum import Krum
from models.aggregation.median import CoordinateMedian
from models.aggregation.plan import Measure
from models.aggregation.unweighted_mean import UnweightedMean
from models.aggregation.weighted_mean import WeightedMean
from tests.unit.models.aggregation.builders import NINE, aggregate, plan_of


def test_known_answer_of_byzfl() -> None:
    # clip(2) of [1, 2, 3], alone in its round
    result = aggregate(Clipped(max_norm=2.0, rule=UnweightedMean()), NINE[:1])
    np.testing.assert_allclose(result, [0.53452248, 1.06904497, 1.60356745], atol=2e-7)


def test_long_updates_are_shortened_before_they_are_averaged() -> None:
    result = aggregate(Clipped(max_norm=5.0, rule=WeightedMean()), [[30, 40], [1, 0], [0, 0]], weights=[2, 3, 5])
    np.testing.assert_allclose(result, [(2 * 3 + 3 * 1) / 10, 2 * 4 / 10], atol=1e-6)


def test_a_clipped_update_is_never_longer_than_the_limit() -> None:
    for size in (3.7, 11.0, 1e3):
        (result,) = aggregate(Clipped(max_norm=3.0, rule=UnweightedMean()), [[size]])
        assert 3.0 * (1 - 2**-13) < result <= 3.0


def test_where_nothing_is_too_long_the_plan_is_the_inner_one() -> None:
    rule = Clipped(max_norm=12.0, rule=WeightedMean())
    assert plan_of(rule, NINE[:2], [3, 4]) == plan_of(WeightedMean(), NINE[:2], [3, 4])
    assert plan_of(Clipped(max_norm=100.0, rule=CoordinateMedian()), NINE).is_selection


def test_the_rule_inside_sees_clipped_updates() -> None:
    # As they are 1, 2 and 3 lie together; clipped to 1, so do all, and the first is as good as any.
    rows = [[-90.0], [1.0], [2.0], [3.0], [4.0]]
    assert plan_of(Krum(num_byzantine=1), rows).effective_weights == (0, 0, 1, 0, 0)
    plan = plan_of(Clipped(max_norm=1.0, rule=Krum(num_byzantine=1)), rows)
    assert plan.effective_weights == (0, 1, 0, 0, 0)


def test_norms_are_all_that_it_needs_itself() -> None:
    assert Clipped(max_norm=1.0, rule=WeightedMean()).measure is Measure.NORMS
    assert Clipped(max_norm=1.0, rule=Krum(num_byzantine=1)).measure is Measure.GRAM
    assert not Clipped(max_norm=1.0, rule=WeightedMean()).linear


def test_coefficients_stay_small_however_often_one_clips() -> None:
    rule = Clipped(max_norm=4.0, rule=Clipped(max_norm=2.0, rule=Clipped(max_norm=1.0, rule=WeightedMean())))
    plan = plan_of(rule, [[8], [16], [3]], weights=[900, 1000, 1])
    assert plan.coefficient_sum <= MAX_COMPOSED_SUM == rule.coefficient_bound(3, 1000)
    np.testing.assert_allclose(aggregate(rule, [[8], [16], [3]], weights=[900, 1000, 1]), [1], rtol=1e-3)


def test_large_weights_take_precision_from_the_factors_not_from_the_sum() -> None:
    rule = Clipped(max_norm=1.0, rule=WeightedMean())
    assert rule.coefficient_bound(10, 2**30) == 10 * 2**30
    plan = plan_of(rule, [[2], [1]], weights=[2**30, 2**30])
    assert (plan.rows, plan.divisor) == (((1, 2),), 4)


def test_a_limit_must_be_positive() -> None:
    for max_norm in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="max_norm"):
            Clipped(max_norm=max_norm, rule=WeightedMean())


def test_a_round_of_which_nothing_is_left_is_refused() -> None:
    with pytest.raises(ValueError, match="not all 0"):
        plan_of(Clipped(max_norm=2.0**-30, rule=WeightedMean()), [[1], [2]])
