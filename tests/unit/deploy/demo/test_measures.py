"""How metrics are told, and how far one may stay behind the central model's."""

from __future__ import annotations

import pytest

from deploy.demo.measures import Margin, in_order, margins_in_words, shortfalls, told

POINTS = Margin(metric="auc", size=3, unit="points", lower_is_better=False)
PERCENT = Margin(metric="mae", size=5, unit="percent", lower_is_better=True)
ABOVE = Margin(metric="r2", size=10, unit="percent", lower_is_better=False)


def test_shares_are_told_in_percent_and_errors_as_they_are() -> None:
    shown = [told(name, 0.5) for name in ("accuracy", "auc", "macro_f1", "recall.ill", "loss", "rmse", "own")]
    assert shown == ["50.0 %"] * 4 + ["0.500"] * 3
    assert told("mae", None) == "-"


def test_accuracy_and_loss_come_first_and_each_metric_once() -> None:
    assert in_order(["r2", "auc", "loss", "mae", "accuracy", "r2"]) == ["accuracy", "loss", "auc", "r2", "mae"]


@pytest.mark.parametrize(
    ("margin", "federated", "central", "holds"),
    [
        (POINTS, 0.775, 0.8, True),
        (POINTS, 0.765, 0.8, False),
        (POINTS, 0.9, 0.8, True),
        (PERCENT, 10.49, 10.0, True),
        (PERCENT, 10.51, 10.0, False),
        (PERCENT, 1.0, 10.0, True),
        (ABOVE, 0.73, 0.8, True),
        (ABOVE, 0.71, 0.8, False),
        (ABOVE, -0.5, -0.4, False),
    ],
)
def test_a_margin_is_kept_or_not(margin: Margin, federated: float, central: float, holds: bool) -> None:
    assert (margin.shortfall(federated, central) == "") is holds


def test_without_a_central_value_nothing_can_be_said() -> None:
    assert shortfalls([POINTS, PERCENT], {"auc": 0.8}, {}) == ["there is no central model to compare with"]
    assert shortfalls([POINTS, PERCENT], {"auc": 0.8}, {"auc": 0.8}) == []
    assert shortfalls([PERCENT], {}, {"mae": 1.0}) == ["the federated model's mae was not measured"]


def test_a_run_that_holds_up_says_within_what() -> None:
    assert margins_in_words([POINTS, POINTS]) == "3 points"
    assert margins_in_words([PERCENT]) == "5 % (mae)"
    assert margins_in_words([POINTS, PERCENT]) == "3 points (auc), 5 % (mae)"
