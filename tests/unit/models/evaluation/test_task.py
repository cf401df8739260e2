"""The evaluator of a task, from its file."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from fluvial.edge.training.task_code import TaskCode
from fluvial.wire.task_file import EvaluationSpec, Limits, ModelSpec, TaskFile
from models.evaluation.task import evaluator_of

TASK = TaskFile(
    task="toy",
    title="Toy",
    model=ModelSpec(architecture="logistic_regression", parameters={"inputs": 2, "classes": 2}),
    rounds=1,
    quorum=1,
    target=1,
    deadline_seconds=1.0,
    limits=Limits(max_abs=1.0, max_weight=1),
    evaluation=EvaluationSpec(data="sets/toy.safetensors", metrics=["accuracy"]),
)


def test_it_measures_on_the_set_that_the_task_names(tmp_path: Path) -> None:
    (tmp_path / "sets").mkdir()
    save_file(
        {"inputs": np.eye(2, dtype=np.float32), "targets": np.array([0, 1])}, tmp_path / "sets" / "toy.safetensors"
    )
    evaluator = evaluator_of(TaskCode(TASK, None, tmp_path), "cpu")
    assert evaluator is not None
    assert evaluator.measure(np.array([1, 0, 0, 1, 0, 0], np.float32)) == {"accuracy": 1.0}
    assert evaluator_of(TaskCode(TASK.model_copy(update={"evaluation": None}))) is None


def test_a_missing_set_is_named_as_in_the_task_file_and_not_by_where_it_would_lie(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no data at sets/toy") as raised:
        evaluator_of(TaskCode(TASK, None, tmp_path))
    assert str(tmp_path) not in str(raised.value)
