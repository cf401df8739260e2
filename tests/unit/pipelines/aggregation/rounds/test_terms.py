from typing import Any

import pytest

from fluvial.wire.task_file import TaskFile
from pipelines.aggregation.rounds import terms

TASK: dict[str, Any] = {
    "task": "demo",
    "title": "Demo",
    "model": {"architecture": "logistic_regression", "parameters": {"inputs": 4, "classes": 2}},
    "rounds": 1,
    "quorum": 3,
    "target": 4,
    "deadline_seconds": 10,
    "limits": {"max_abs": 1.0, "max_weight": 100},
}


def task_file(**changes: Any) -> TaskFile:
    return TaskFile.model_validate({**TASK, **changes})


def test_a_rule_whose_promise_the_quorum_cannot_keep_is_refused() -> None:
    terms.check(task_file(rule={"name": "trimmed_mean", "num_byzantine": 1}))
    with pytest.raises(ValueError, match="quorum"):
        terms.check(task_file(rule={"name": "trimmed_mean", "num_byzantine": 2}))


def test_an_unknown_server_optimizer_is_refused() -> None:
    with pytest.raises(ValueError, match="newton"):
        terms.check(task_file(server_optimizer={"name": "newton"}))


@pytest.mark.parametrize(
    ("alpha", "dynamic_alpha"),
    [(0.1, 0.0), (0.1, 0.2), (None, 0.1)],
    ids=["server alone", "two values", "training alone"],
)
def test_both_halves_of_dynamic_regularisation_have_one_alpha(alpha: float | None, dynamic_alpha: float) -> None:
    optimizer = None if alpha is None else {"name": "dynamic", "alpha": alpha}
    with pytest.raises(ValueError, match="FedDyn"):
        terms.check(task_file(server_optimizer=optimizer, training={"dynamic_alpha": dynamic_alpha}))
    fitting = None if alpha is None else {"name": "dynamic", "alpha": alpha}
    terms.check(task_file(server_optimizer=fitting, training={"dynamic_alpha": alpha or 0.0}))
