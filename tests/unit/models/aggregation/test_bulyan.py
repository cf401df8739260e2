import numpy as np
import pytest

from models.aggregation.bulyan import Bulyan, picks
from models.aggregation.gram import partial_gram
from models.aggregation.reduction import MeanAroundMedian
from tests.unit.models.aggregation.builders import aggregate, plan_of

SEVEN = [[0.0], [1.0], [2.0], [3.0], [4.0], [5.0], [500.0]]


def test_krum_picks_one_after_the_other() -> None:
    gram = partial_gram([np.array(row, np.float32) for row in SEVEN])
    # 2 before 3 (10 each, four neighbours), 3 (9, three), 1 before 4 (10, two), 4 (1, one), 0 before 5 (25, still one)
    assert [picks(gram, 1, number) for number in range(1, 6)] == [
        [2],
        [2, 3],
        [1, 2, 3],
        [1, 2, 3, 4],
        [0, 1, 2, 3, 4],
    ]


def test_the_picked_are_averaged_around_their_median() -> None:
    plan = plan_of(Bulyan(num_byzantine=1), SEVEN)
    assert plan.effective_weights == (1, 1, 1, 1, 1, 0, 0)
    assert plan.reduction == MeanAroundMedian(num_kept=3)
    assert aggregate(Bulyan(num_byzantine=1), SEVEN).tolist() == [2.0]


def test_without_byzantine_updates_it_is_the_mean() -> None:
    assert aggregate(Bulyan(num_byzantine=0), [[0], [1], [5]]).tolist() == [2]


def test_too_few_updates_are_refused() -> None:
    with pytest.raises(ValueError, match="num_byzantine 1"):
        plan_of(Bulyan(num_byzantine=1), SEVEN[:6])
    with pytest.raises(ValueError, match="below 0"):
        Bulyan(num_byzantine=-1)
