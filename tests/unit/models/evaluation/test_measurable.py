"""Evaluation sets of built-in tasks, looked at without a module, are refused as the module refuses them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from fluvial.edge.training.architectures.catalogue import layers_of
from fluvial.edge.training.task_code import TaskCode
from fluvial.edge.training.task_data import TaskData
from fluvial.wire.task_file import EvaluationSpec, Limits, ModelSpec, TaskFile
from models.evaluation.measurable import MAX_GROUPS, check_layers
from models.evaluation.task import evaluator_of


def task(loss: str = "cross_entropy", metrics: tuple[str, ...] = ("accuracy", "loss"), classes: int = 2) -> TaskFile:
    return TaskFile(
        task="toy",
        title="Toy",
        model=ModelSpec(architecture="logistic_regression", parameters={"inputs": 3, "classes": classes}),
        rounds=1,
        quorum=1,
        target=1,
        deadline_seconds=1.0,
        limits=Limits(max_abs=1.0, max_weight=1),
        loss=loss,
        evaluation=EvaluationSpec(data="toy.safetensors", metrics=list(metrics)),
    )


def refusals(task_file: TaskFile, folder: Path) -> list[str]:
    """What each of the two says; empty where it says nothing."""
    found = []
    layers = layers_of(task_file.model.architecture, task_file.model.parameters)
    for check in (
        lambda: check_layers(TaskData(task_file, None, folder), layers),
        lambda: evaluator_of(TaskCode(task_file, None, folder), "cpu"),
    ):
        try:
            check()
            found.append("")
        except ValueError as error:
            found.append(str(error))
    return found


def written(folder: Path, inputs: Any, targets: Any, **more: Any) -> Path:
    names = {"groups": '{"site": ' + str([f"s{n}" for n in range(MAX_GROUPS + 1)]).replace("'", '"') + "}"}
    arrays = {"inputs": np.asarray(inputs, np.float32), "targets": np.asarray(targets, np.int64), **more}
    save_file(arrays, folder / "toy.safetensors", names)
    return folder


def test_a_set_that_fits_is_taken(tmp_path: Path) -> None:
    assert refusals(task(), written(tmp_path, np.eye(3), [0, 1, 1])) == ["", ""]


@pytest.mark.parametrize(
    ("task_file", "inputs", "targets", "why"),
    [
        (task(), np.eye(3), [0, 1, 2], "classes from 0 to 2, but the model has 2"),
        (task(classes=1), np.eye(3), [0, 1, 1], "the model has 1 class"),
        (task(metrics=("auc",)), np.eye(3), [1, 1, 1], "auc needs examples of both classes"),
        (task(classes=3, metrics=("mae",), loss="mean_absolute_error"), np.eye(3), [1, 1, 1], "predictions have shape"),
    ],
)
def test_what_metrics_cannot_use_is_refused_in_the_same_words(
    task_file: TaskFile, inputs: Any, targets: Any, why: str, tmp_path: Path
) -> None:
    without, with_module = refusals(task_file, written(tmp_path, inputs, targets))
    assert why in without
    assert without == with_module


def test_groups_beyond_what_the_log_holds_are_refused(tmp_path: Path) -> None:
    members = {"groups.site": np.zeros(3, np.int64)}
    without, with_module = refusals(task(), written(tmp_path, np.eye(3), [0, 1, 1], **members))
    assert f"more than {MAX_GROUPS}" in without
    assert without == with_module


def test_inputs_of_another_shape_are_refused_and_said(tmp_path: Path) -> None:
    without, with_module = refusals(task(), written(tmp_path, np.ones((2, 4)), [0, 1]))
    for said in (without, with_module):
        assert "toy.safetensors cannot be used: inputs of shape [4] (float32), targets of shape []" in said
    assert "takes rows of 3 numbers, not [4]" in without


def test_a_set_that_is_not_there_is_named_as_in_the_task_file(tmp_path: Path) -> None:
    without, with_module = refusals(task(), tmp_path)
    assert "there is no data at toy.safetensors" in without
    assert without == with_module
