import numpy as np
import pytest

from models.aggregation.clipped import Clipped
from models.aggregation.coefficients import MAX_COMPOSED_SUM
from models.aggregation.fltrust import FLTrust
from models.aggregation.krum import Krum
from models.aggregation.median import CoordinateMedian
from models.aggregation.multi_krum import MultiKrum
from models.aggregation.nearest_neighbour_mixing import NearestNeighbourMixing
from models.aggregation.plan import Measure, Rule
from models.aggregation.trimmed_mean import CoordinateTrimmedMean
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


@pytest.mark.parametrize("size", [3.7, 11.0, 1e3, 1e6, 1e7, 1e9, 7e9, 1e18])
@pytest.mark.parametrize("rule", [UnweightedMean(), CoordinateMedian()])
def test_a_clipped_update_has_the_limits_length_however_long_it_was(size: float, rule: Rule) -> None:
    (result,) = aggregate(Clipped(max_norm=3.0, rule=rule), [[size]] * 3)
    assert 3.0 * (1 - 2**-21) < result <= 3.0


@pytest.mark.parametrize("size", [1e3, 1e7, 1e9, 1e18])
def test_what_one_update_is_clipped_by_takes_no_precision_from_the_others(size: float) -> None:
    rows = [[0.3, 0.1], [0.1, -0.3], [size, 0.0]]
    result = aggregate(Clipped(max_norm=1.0, rule=UnweightedMean()), rows)
    np.testing.assert_allclose(result, [1.4 / 3, -0.2 / 3], atol=1e-7)


@pytest.mark.parametrize("inside", [Krum(num_byzantine=1), MultiKrum(num_byzantine=1, num_selected=1)])
def test_an_update_that_is_picked_because_it_was_clipped_is_an_aggregate(inside: Rule) -> None:
    """Far beyond the limit it lies nearest to small updates once it is clipped; what is picked must not be nothing."""
    rows = [[7e9, 0.0], [1.0, 0.1], [1.0, -0.1], [0.9, 0.5], [0.9, -0.5]]
    plan = plan_of(Clipped(max_norm=1.0, rule=inside), rows)
    assert plan.effective_weights == (1, 0, 0, 0, 0)
    np.testing.assert_allclose(aggregate(Clipped(max_norm=1.0, rule=inside), rows), [1, 0], atol=1e-6)


def test_clipping_mixtures_to_different_lengths_keeps_their_bits() -> None:
    rows = [[1e-3], [2e-3], [3e-3], [5e8], [7e8]]
    rule = NearestNeighbourMixing(num_byzantine=2, rule=Clipped(max_norm=1.0, rule=UnweightedMean()))
    expected = [(2e-3 * 3 + 2 * 1.0) / 5]
    # The elements that are mixed are as large as 7e8: so few fraction bits are left.
    np.testing.assert_allclose(aggregate(rule, rows), expected, atol=0.5)
    assert max(map(max, plan_of(rule, rows).shifts)) > 0


@pytest.mark.parametrize("max_norm", [5e-324, 1e-300, 1e-30])
def test_a_limit_that_nothing_fits_leaves_nothing_and_is_no_failure(max_norm: float) -> None:
    result = aggregate(Clipped(max_norm=max_norm, rule=WeightedMean()), [[1.0], [2e9]])
    np.testing.assert_allclose(result, [0.0], atol=2 * max_norm)


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


@pytest.mark.parametrize(
    "inside", [CoordinateTrimmedMean(num_byzantine=1), FLTrust(root_participant="a"), WeightedMean()]
)
def test_sums_of_far_updates_that_are_clipped_twice_fit_as_the_precision_counts_on(inside: Rule) -> None:
    rule = Clipped(max_norm=1e6, rule=Clipped(max_norm=1.0, rule=inside))
    largest = 2.0**60
    plan = plan_of(rule, [[largest]] * 5)
    assert plan.largest_sum([largest] * 5) <= rule.coefficient_bound(5, 1) * rule.element_bound(largest)
    np.testing.assert_allclose(aggregate(rule, [[largest]] * 5), [1.0], rtol=1e-4)


def test_large_weights_take_precision_from_the_factors_not_from_the_sum() -> None:
    rule = Clipped(max_norm=1.0, rule=WeightedMean())
    assert rule.coefficient_bound(10, 2**30) == 10 * 2**30
    plan = plan_of(rule, [[2], [1]], weights=[2**30, 2**30])
    assert (plan.rows, plan.divisor) == (((1, 2),), 4)


def test_a_limit_must_be_positive() -> None:
    for max_norm in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="max_norm"):
            Clipped(max_norm=max_norm, rule=WeightedMean())
