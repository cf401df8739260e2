import numpy as np
import pytest

from models.aggregation.gram import partial_gram
from models.aggregation.krum_scores import least, scores
from models.aggregation.multi_krum import MultiKrum
from models.aggregation.plan import RoundUpdates


def gram_of(*points: float) -> np.ndarray:
    return partial_gram([np.array([point], np.float32) for point in points])


def select(gram: np.ndarray, num_byzantine: int, num_selected: int) -> list[int]:
    return least(scores(gram, num_byzantine), num_selected)


def test_scores_by_hand() -> None:
    # 0 .. 1 .. 2 ........ 9 with f = 0: each is judged by its two nearest others
    assert scores(gram_of(0, 1, 2, 9), 0) == (1 + 4, 1 + 1, 1 + 4, 49 + 64)


def test_the_outlier_is_left_out() -> None:
    assert select(gram_of(1.0, 1.1, -50.0, 0.9, 1.2), 1, 4) == [0, 1, 3, 4]


def test_among_equal_scores_the_earlier_row_wins() -> None:
    assert select(gram_of(0, 0, 0, 0, 0), 1, 2) == [0, 1]
    assert select(gram_of(5, 0, 0, 0, 0), 1, 2) == [1, 2]


def test_the_promise_needs_enough_updates() -> None:
    with pytest.raises(ValueError, match="needs more than 4, got 4"):
        select(gram_of(0, 1, 2, 3), 1, 1)
    with pytest.raises(ValueError, match="quorum above 4"):
        MultiKrum(num_byzantine=1).check_quorum(4)
    MultiKrum(num_byzantine=1, num_selected=4).check_quorum(5)
    with pytest.raises(ValueError, match="more than quorum"):
        MultiKrum(num_byzantine=1, num_selected=5).check_quorum(5)


@pytest.mark.parametrize("num_selected", [0, 6])
def test_only_what_is_there_can_be_selected(num_selected: int) -> None:
    with pytest.raises(ValueError, match="cannot select"):
        select(gram_of(0, 1, 2, 3, 4), 1, num_selected)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_matrix_that_is_not_finite_is_refused(bad: float) -> None:
    gram = gram_of(0, 1, 2, 3, 4)
    gram[2, 3] = bad
    with pytest.raises(ValueError, match="not finite"):
        select(gram, 1, 1)


def test_the_rule_keeps_the_weights_of_those_it_selects() -> None:
    updates = RoundUpdates(participants=tuple("abcde"), weights=(10, 20, 30, 40, 50))
    plan = MultiKrum(num_byzantine=1).plan(updates, gram_of(1.0, 1.1, -50.0, 0.9, 1.2))
    assert plan.rows == ((10, 20, 0, 40, 50),)
    assert plan.divisor == 120
    assert len(plan.scores) == 5
    with pytest.raises(ValueError, match="Gram matrix"):
        MultiKrum(num_byzantine=1).plan(updates)
