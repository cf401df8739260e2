import numpy as np
import pytest

from models.aggregation.median import CoordinateMedian
from models.aggregation.plan import Plan, RoundUpdates, measured, unit_rows
from models.aggregation.reduction import MeanAroundMedian, Median, TrimmedMean
from models.aggregation.weighted_mean import WeightedMean
from tests.unit.models.aggregation.builders import round_of


def test_effective_weights_add_up_over_combinations() -> None:
    plan = Plan(rows=((1, 2, 0), (1, 0, 0)), divisor=3, reduction=Median())
    assert plan.effective_weights == (2, 2, 0)
    assert plan.coefficient_sum == 2 * 3  # the larger row, and two values are added for the median
    assert not plan.is_selection


def test_a_plan_that_takes_updates_as_they_are_is_a_selection() -> None:
    assert Plan(rows=unit_rows([0, 2], 3), divisor=1, reduction=Median()).is_selection
    assert not Plan(rows=((2,),), divisor=1).is_selection


def test_common_factors_go() -> None:
    plan = Plan(rows=((4, 0), (2, 2)), divisor=2, reduction=Median(), scores=(1.0, 2.0))
    assert plan.in_lowest_terms() == Plan(rows=((2, 0), (1, 1)), divisor=1, reduction=Median(), scores=(1.0, 2.0))
    plan = Plan(rows=((3, 2),), divisor=6)
    assert plan.in_lowest_terms() is plan


@pytest.mark.parametrize(
    ("rows", "divisor", "reduction"),
    [
        ((), 1, Median()),
        (((1, 2), (1,)), 1, Median()),
        (((1, 2),), 0, None),
        (((1, 2), (1, 2)), 1, None),
        (((1, -2),), 1, None),
        (((0, 0),), 1, None),
        (((1,), (1,)), 1, TrimmedMean(num_trimmed=1)),
        (((1,),), 1, TrimmedMean(num_trimmed=-1)),
        (((1,), (1,)), 1, MeanAroundMedian(num_kept=3)),
    ],
)
def test_what_is_no_plan_is_refused(rows: tuple[tuple[int, ...], ...], divisor: int, reduction: Median | None) -> None:
    with pytest.raises(ValueError, match=r"rows|combinations|coefficients|left|keep"):
        Plan(rows=rows, divisor=divisor, reduction=reduction)


def test_a_round_needs_updates_with_weights() -> None:
    assert len(round_of(3)) == 3
    for participants, weights in (((), ()), (("a",), (1, 2)), (("a",), (0,))):
        with pytest.raises(ValueError, match="weights"):
            RoundUpdates(participants=participants, weights=weights)


def test_what_a_rule_asked_for_must_be_there() -> None:
    for gram in (None, np.zeros((3, 3)), np.full((2, 2), np.nan), -np.eye(2)):
        with pytest.raises(ValueError, match="Gram matrix"):
            measured(gram, round_of(2))


def test_rules_that_decide_at_the_end_have_no_coefficients() -> None:
    assert WeightedMean().linear
    assert WeightedMean().coefficient(7) == 7
    assert not CoordinateMedian().linear
    with pytest.raises(ValueError, match="weight 7"):
        CoordinateMedian().coefficient(7)
