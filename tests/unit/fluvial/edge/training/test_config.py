from typing import Any

import pytest

from fluvial.edge.training.config import TrainingConfig

LEAST = {"epochs": 2, "batch_size": 8, "learning_rate": 0.1}


def test_the_rest_has_defaults() -> None:
    config = TrainingConfig.from_mapping(LEAST)
    assert config == TrainingConfig(epochs=2, batch_size=8, learning_rate=0.1, momentum=0.0, weight_decay=0.0)


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 0},
        {"batch_size": 0},
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
        {"momentum": 1.0},
        {"weight_decay": -0.1},
        {"proximal_mu": -0.1},
        {"dynamic_alpha": float("inf")},
        {"dropout": 0.5},
    ],
)
def test_what_cannot_train_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"epochs|rate|momentum|unknown|proximal|dynamic"):
        TrainingConfig.from_mapping(LEAST | change)


def test_what_is_missing_is_named() -> None:
    with pytest.raises(ValueError, match="learning_rate"):
        TrainingConfig.from_mapping({"epochs": 1, "batch_size": 1})


def test_an_unknown_parameter_is_answered_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"unknown training parameters: epoch; .*batch_size, .*epochs, learning_rate"):
        TrainingConfig.from_mapping({"epoch": 2})


@pytest.mark.parametrize("wrong", [{"learning_rate": 10**400}, {"proximal_mu": 10**400}, {"proximal_mu": True}])
def test_what_is_no_number_of_a_float_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="training parameters do not fit"):
        TrainingConfig.from_mapping({"epochs": 1, "batch_size": 1, "learning_rate": 0.1, **wrong})
