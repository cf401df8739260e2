import numpy as np
import pytest

from models.aggregation.fltrust import FLTrust
from tests.unit.models.aggregation.builders import aggregate, plan_of, round_of

RULE = FLTrust(root_participant="a")


def test_updates_count_by_their_angle_to_the_root() -> None:
    # root (2, 0); along it: trust 1; at 45 degrees: 1/sqrt 2; against it: none. All are brought to norm 2.
    rows = [[2, 0], [10, 0], [1, 1], [-5, 0], [0, 7]]
    root_half = 2**-0.5
    total = 2 + root_half
    expected = (np.array([2, 0]) + np.array([2, 0]) + root_half * np.array([2**0.5, 2**0.5])) / total
    np.testing.assert_allclose(aggregate(RULE, rows), expected, atol=1e-6)
    plan = plan_of(RULE, rows)
    assert plan.scores == pytest.approx((1, 1, root_half, 0, 0))
    assert plan.effective_weights[3] == 0


def test_without_the_root_the_round_cannot_be_decided() -> None:
    gram = np.eye(2)
    with pytest.raises(ValueError, match="root somebody"):
        FLTrust(root_participant="somebody").plan(round_of(2), gram)


def test_norms_of_zero_are_defined() -> None:
    assert aggregate(RULE, [[1, 0], [0, 0]]).tolist() == [1, 0]
    assert aggregate(RULE, [[0, 0], [5, 0]]).tolist() == [0, 0]
    assert plan_of(RULE, [[0, 0], [5, 0]]).effective_weights[1] == 0


def test_a_short_update_is_stretched_no_more_than_64_times() -> None:
    np.testing.assert_allclose(aggregate(RULE, [[1.0], [2**-10]]), [(1 + 64 * 2**-10) / 2], atol=1e-6)
