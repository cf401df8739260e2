import pytest

from models.aggregation.plan import Plan
from models.aggregation.reduction import MeanAroundMedian, Median, TrimmedMean
from pipelines.aggregation.rule import plan_message


@pytest.mark.parametrize("reduction", [Median(), TrimmedMean(num_trimmed=0), MeanAroundMedian(num_kept=2)])
def test_a_plan_arrives_as_it_was_sent(reduction: Median | TrimmedMean | MeanAroundMedian) -> None:
    plan = Plan(rows=((1, 0, 2), (0, 3, 0)), divisor=7, reduction=reduction)
    assert plan_message.load(plan_message.dump(plan)) == plan


def test_updates_left_out_and_scores_stay_behind() -> None:
    plan = Plan(rows=((0, 2**60, 0, 5),), divisor=2**60 + 5, scores=(1.0, 2.0, 3.0, 4.0))
    assert plan_message.load(plan_message.dump(plan)) == Plan(rows=((2**60, 5),), divisor=2**60 + 5)
