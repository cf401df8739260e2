import numpy as np

from pipelines.aggregation import selection
from tests.unit.pipelines.aggregation.builders import a_round, an_update


def test_rows_are_ordered_by_digest() -> None:
    updates = [an_update(3), an_update(1), an_update(2)]
    assert [update.update_id for update in selection.in_order(updates)] == ["update-1", "update-2", "update-3"]


def test_the_weighted_mean_takes_all_without_measuring() -> None:
    round_ = a_round()
    assert not selection.needs_measurement(round_)
    contributions = selection.select(round_, [an_update(1), an_update(2)], {})
    assert [(entry.participant, entry.selected) for entry in contributions] == [
        ("participant-1", True),
        ("participant-2", True),
    ]


def test_multi_krum_leaves_the_outlier_out() -> None:
    round_ = a_round(rule='{"name": "multi_krum", "num_byzantine": 1}')
    assert selection.needs_measurement(round_)
    rows = np.array([[1.0, 0.0], [1.0, 0.1], [-40.0, 0.0], [1.1, 0.0], [1.0, -0.1]])
    grams = {0: rows[:, :1] @ rows[:, :1].T, 1: rows[:, 1:] @ rows[:, 1:].T}
    contributions = selection.select(round_, [an_update(i) for i in range(5)], grams)
    assert [entry.selected for entry in contributions] == [True, True, False, True, True]
