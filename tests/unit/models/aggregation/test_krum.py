import pytest

from models.aggregation.krum import Krum
from tests.unit.models.aggregation.builders import aggregate, plan_of


def test_the_update_closest_to_its_neighbours_is_the_aggregate() -> None:
    #  0 .. 1 .. 2 .. 3 ........ 90, f = 1: two neighbours each, so 1 and 2 tie at 2, and the first wins
    plan = plan_of(Krum(num_byzantine=1), [[0], [1], [2], [3], [90]], weights=[7, 8, 9, 1, 2])
    assert plan.scores == (5, 2, 2, 5, 87**2 + 88**2)
    assert plan.rows == ((0, 1, 0, 0, 0),)
    assert plan.divisor == 1
    assert plan.effective_weights == (0, 1, 0, 0, 0)


def test_known_answer_of_flower() -> None:
    # Krum with f = 1 of .2, .7, 1.0 (fewer updates than the paper's 2 f + 3, so here with a fourth and fifth)
    assert aggregate(Krum(num_byzantine=1), [[0.2], [0.7], [1.0], [0.75], [0.65]]) == pytest.approx([0.7])


def test_too_few_updates_are_refused() -> None:
    with pytest.raises(ValueError, match="needs more than 4, got 4"):
        plan_of(Krum(num_byzantine=1), [[0], [1], [2], [3]])
    with pytest.raises(ValueError, match="below 0"):
        Krum(num_byzantine=-1)
