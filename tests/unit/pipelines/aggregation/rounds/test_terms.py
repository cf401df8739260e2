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


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"target": 3_000_000_000}, "target is 3000000000"),
        ({"quorum": 2_147_483_648, "target": 2_147_483_648}, "quorum is 2147483648"),
        ({"rounds": 1 << 63}, "rounds"),
        ({"kept_versions": 1 << 40}, "kept_versions"),
        ({"limits": {"max_abs": 1.0, "max_weight": 1 << 70}, "rule": {"name": "unweighted_mean"}}, "max_weight"),
        ({"deadline_seconds": 9223372036854775807}, "deadline_seconds"),
        ({"deadline_seconds": 1e300}, "deadline_seconds"),
        ({"deadline_seconds": 259_200}, "deadline_seconds: an update may wait 259200 seconds"),
        ({"window": {"grace_seconds": 1e17}}, "grace_seconds"),
        ({"window": {"mode": "tumbling"}, "deadline_seconds": 1e17}, "deadline_seconds"),
        ({"window": {"mode": "buffered", "max_staleness": 63}, "deadline_seconds": 3_600}, "max_staleness"),
    ],
)
def test_what_no_record_could_hold_or_outlasts_its_chunks_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        terms.check(task_file(**changes))


def test_a_round_may_last_as_long_as_its_chunks_less_an_outage() -> None:
    terms.check(task_file(deadline_seconds=terms.LONGEST_WAIT_SECONDS))
    with pytest.raises(ValueError, match=r"deadline_seconds, window\.grace_seconds"):
        terms.check(task_file(deadline_seconds=terms.LONGEST_WAIT_SECONDS, window={"grace_seconds": 1}))
