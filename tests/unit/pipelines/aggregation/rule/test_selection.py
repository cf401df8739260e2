import json

import numpy as np
import pytest

from pipelines.aggregation.rounds.records import contributions
from pipelines.aggregation.rule import selection
from tests.unit.pipelines.aggregation.builders import a_round, an_update


def test_rows_are_ordered_by_digest() -> None:
    updates = [an_update(3), an_update(1), an_update(2)]
    assert [update.update_id for update in selection.in_order(updates)] == ["update-1", "update-2", "update-3"]


def test_the_weighted_mean_takes_all_without_measuring() -> None:
    round_, updates = a_round(), [an_update(1), an_update(2, weight=5)]
    assert not selection.needs_measurement(round_)
    plan = selection.plan(round_, updates, {})
    assert (plan.rows, plan.divisor) == (((10, 5),), 15)
    made = contributions(updates, plan.effective_weights)
    assert [(each.participant, each.selected, each.weight, each.effective_weight) for each in made] == [
        ("participant-1", True, 10, 10),
        ("participant-2", True, 5, 5),
    ]


def test_multi_krum_leaves_the_outlier_out() -> None:
    round_, updates = a_round(rule='{"name": "multi_krum", "num_byzantine": 1}'), [an_update(i) for i in range(5)]
    assert selection.needs_measurement(round_)
    rows = np.array([[1.0, 0.0], [1.0, 0.1], [-40.0, 0.0], [1.1, 0.0], [1.0, -0.1]])
    grams = {0: rows[:, :1] @ rows[:, :1].T, 1: rows[:, 1:] @ rows[:, 1:].T}
    made = contributions(updates, selection.plan(round_, updates, grams).effective_weights)
    assert [each.selected for each in made] == [True, True, False, True, True]
    assert [each.effective_weight for each in made] == [10, 10, 0, 10, 10]


def test_norms_stand_for_the_diagonal() -> None:
    rule = {"name": "clipped", "max_norm": 1.0, "rule": {"name": "unweighted_mean"}}
    round_, updates = a_round(rule=json.dumps(rule)), [an_update(1), an_update(2)]
    norms = selection.plan(round_, updates, {0: np.array([0.25, 3.0]), 1: np.array([0.0, 1.0])})
    (small, large), bound = norms.rows[0], norms.divisor
    assert small / bound == pytest.approx(1 / 2)
    assert large / bound == pytest.approx(1 / 4)


def test_an_update_that_lags_behind_counts_less() -> None:
    round_ = a_round(round=4, max_staleness=3, staleness='{"name": "polynomial", "exponent": 1.0}')
    updates = [an_update(1, round=4), an_update(2, round=3), an_update(3, round=1)]
    plan = selection.plan(round_, updates, {})
    assert plan.rows == ((10 * 65536, 5 * 65536, 10 * 16384),)
    assert plan.divisor == 30 * 65536
    assert [each.round for each in contributions(updates, plan.effective_weights)] == [4, 3, 1]


@pytest.mark.parametrize("rule", ["weighted_mean", "unweighted_mean", "median"])
def test_every_rule_takes_a_region_as_one_update(rule: str) -> None:
    regions = [an_update(1, encoding="partial_sum", weight=12), an_update(2, encoding="partial_sum", weight=3)]
    of_participants = [an_update(1, weight=12), an_update(2, weight=3)]
    round_ = a_round(rule=json.dumps({"name": rule}))
    assert selection.plan(round_, regions, {}) == selection.plan(round_, of_participants, {})


def test_a_region_adds_up() -> None:
    updates = [an_update(1), an_update(2)]
    assert selection.plan(a_round(partial=True), updates, {}).divisor == 20
    with pytest.raises(ValueError, match="adds updates up"):
        selection.plan(a_round(partial=True, rule='{"name": "median"}'), updates, {})


def test_a_plan_that_would_overflow_the_sums_is_refused() -> None:
    round_ = a_round(fraction_bits=50, max_abs=100.0)
    with pytest.raises(ValueError, match="overflow"):
        selection.plan(round_, [an_update(number, weight=100) for number in range(3)], {})
