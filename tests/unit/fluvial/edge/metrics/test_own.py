"""A task's own metric, as its users write them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from fluvial.edge.metrics import measure, measure_groups
from fluvial.edge.metrics.own import own_metric

LOGITS, TARGETS = np.eye(4, 2, dtype=np.float32), np.array([0, 1, 0, 1])


def one(function: Callable[..., Any], names: tuple[str, ...] = ("p.own:mine", "accuracy")) -> dict[str, float]:
    return measure(LOGITS.copy(), TARGETS.copy(), names, own={"p.own:mine": own_metric("p.own:mine", function)})


@pytest.mark.parametrize(
    "value",
    [0.5, np.float32(0.5), np.array(0.5), np.array([0.5]), torch.tensor(0.5), torch.tensor([0.5], requires_grad=True)],
)
def test_whatever_holds_one_number_is_one(value: Any) -> None:
    assert one(lambda predictions, targets: value)["mine"] == 0.5
    assert one(lambda predictions, targets: {"a": value, 3: 1})["mine.a"] == 0.5


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (None, "TypeError"),
        ("0.5", "not text"),
        (np.ones(2), "not of shape"),
        (torch.ones(2), "not of shape"),
        ({"a": None}, "TypeError"),
        ({"a\x1b[2J": 1.0}, "printable"),
        ({"": 1.0}, "printable"),
        ({"a" * 65: 1.0}, "printable"),
    ],
)
def test_what_is_no_number_is_refused_naming_the_metric(value: Any, why: str) -> None:
    with pytest.raises(ValueError, match=f"the metric p.own:mine fails: .*{why}"):
        one(lambda predictions, targets: value)


@pytest.mark.parametrize("error", [KeyError("x"), ZeroDivisionError(), SystemExit(0), AttributeError("dim")])
def test_whatever_it_raises_is_told_and_leaves_its_group_without(error: BaseException) -> None:
    def fails(predictions: Any, targets: Any) -> float:
        if len(targets) < 4:
            raise error
        return 1.0

    own = {"p.own:mine": own_metric("p.own:mine", fails)}
    groups = {"site": (np.array([0, 0, 0, 1]), ("north", "south"))}
    found = measure_groups(LOGITS, TARGETS, groups, ["p.own:mine", "accuracy"], own=own)
    assert [set(each.metrics) for each in found] == [{"accuracy"}, {"accuracy"}]
    assert all(f"the metric p.own:mine fails: {type(error).__name__}" in each.reason for each in found)


def test_it_changes_nothing_for_the_metrics_beside_it(capsys: pytest.CaptureFixture[str]) -> None:
    def careless(predictions: Any, targets: Any) -> float:
        print("measuring")
        predictions[:] = 0
        targets[:] = 0
        return 1.0

    assert one(careless)["accuracy"] == one(lambda predictions, targets: 1.0)["accuracy"]
    assert capsys.readouterr() == ("", "measuring\n")


def test_a_metric_that_draws_at_random_comes_to_the_same_again_and_leaves_the_process_alone() -> None:
    def bootstrapped(predictions: Any, targets: Any) -> float:
        np.seterr(all="raise")
        rows = np.random.randint(len(targets), size=1000)
        return float(np.mean(predictions[rows]))

    before = np.random.get_state()[1]
    assert one(bootstrapped) == one(bootstrapped)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # type: ignore[arg-type]
    assert np.float32(1e-30) * np.float32(1e-30) == 0
