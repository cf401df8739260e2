"""What a participant tells of examples that it holds out, and that it does not train on them."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from fluvial.edge.packages import Packages
from fluvial.edge.packages.examples import Examples
from fluvial.edge.trainer import TrainingRequest
from fluvial.edge.training import participation
from fluvial.edge.training.held_out import told_of
from fluvial.edge.training.participation import measure_held_out, trainer
from fluvial.edge.training.task_code import TaskCode
from tests.unit.fluvial.edge.packages.packages_world import DATA, task_file, write

HELD_OUT = """
def held_out(path, index):
    inputs = np.zeros((20, 3), np.float32)
    return inputs, np.arange(20) % 2, {"site": ["north"] * 11 + ["south"] * 9}
"""


def identity() -> nn.Module:
    module = nn.Linear(2, 2)
    with torch.no_grad():
        module.weight.copy_(torch.eye(2))
        module.bias.zero_()
    return module


def some(count: int, groups: dict[str, Any] | None = None, people: Any = None) -> Examples:
    targets = np.arange(count) % 2
    return Examples(inputs=np.eye(2, dtype=np.float32)[targets], targets=targets, groups=groups or {}, people=people)


def test_the_whole_comes_first_and_then_groups_of_ten_people_and_more() -> None:
    groups = {"site": (np.r_[np.zeros(12, np.int64), np.ones(10, np.int64), np.full(8, 2)], ("a", "b", "c"))}
    whole, *rest = told_of(identity(), some(30, groups), ["accuracy"])
    assert (whole.attribute, whole.metrics[0].value) == ("", 1.0)
    assert whole.num_examples == 22, "group c would follow from the whole and the others"
    assert [(each.group, each.num_examples) for each in rest] == [("a", 12), ("b", 10)]


def test_ten_examples_of_nine_people_are_not_told_of() -> None:
    assert told_of(identity(), some(9), ["accuracy"]) == ()
    assert told_of(identity(), some(30, people=np.arange(30) % 9), ["accuracy"]) == ()
    groups = {"site": (np.zeros(40, np.int64), ("a",))}
    people = np.r_[np.zeros(30, np.int64), np.arange(10)]
    assert [each.group for each in told_of(identity(), some(40, groups, people), ["accuracy"])] == ["", "a"]


def test_a_class_of_fewer_than_ten_people_has_no_recall_and_follows_from_nothing() -> None:
    targets = np.array([0] * 30 + [1] * 25 + [0] * 20 + [1] * 4)
    groups = {"site": (np.array([0] * 55 + [1] * 24), ("a", "b"))}
    examples = Examples(inputs=np.eye(2, dtype=np.float32)[targets], targets=targets, groups=groups)
    told = told_of(identity(), examples, ["accuracy", "recall"])
    names = {(each.group, metric.name) for each in told for metric in each.metrics}
    assert ("a", "recall.1") in names
    assert ("b", "recall.1") not in names
    assert [each.num_examples for each in told] == [75, 55, 20]


def test_what_is_not_defined_or_has_no_name_to_tell_is_left_out() -> None:
    one_class = Examples(inputs=np.ones((12, 2), np.float32), targets=np.zeros(12, np.int64))
    (whole,) = told_of(identity(), one_class, ["accuracy", "auc"])
    assert [metric.name for metric in whole.metrics] == ["accuracy"]
    groups = {"site": (np.zeros(12, np.int64), ("x" * 65,))}
    assert len(told_of(identity(), some(12, groups), ["accuracy"])) == 1
    broken = identity()
    with torch.no_grad():
        broken.bias.fill_(float("nan"))
    assert told_of(broken, some(12), ["accuracy"]) == ()


def a_request(tmp_path: Path, **task: Any) -> TrainingRequest:
    folder = write(tmp_path, data=DATA + HELD_OUT)
    wanted = task_file(held_out={"metrics": ["accuracy", "loss"], **task.pop("held_out", {})}, **task)
    package = Packages([folder]).of(wanted)
    rows = np.random.default_rng(1).normal(size=(200, 3)).astype(np.float32)
    np.savez(tmp_path / "1.npz", inputs=rows, targets=(rows.sum(1) > 0).astype(np.int64))
    state = TaskCode(wanted, package).state()
    return TrainingRequest(
        task="scans",
        round=1,
        base_D=state.flatten(),
        layout=state.layout,
        specification=wanted,
        model=wanted.model.model_dump(),
        training={"epochs": 1, "batch_size": 20, "learning_rate": 0.1},
        data=tmp_path,
        index=1,
        seed=3,
        package=package,
    )


def test_a_share_is_held_out_measured_and_not_trained_on(tmp_path: Path) -> None:
    request = a_request(tmp_path)
    (whole,) = measure_held_out(request)
    delta_and_weight = trainer(request)
    assert delta_and_weight is not None
    assert 20 < whole.num_examples < 60
    assert whole.num_examples + delta_and_weight[1] == 200
    assert {metric.name for metric in whole.metrics} == {"accuracy", "loss"}


def test_the_packages_loader_says_what_is_held_out_where_it_is_named(tmp_path: Path) -> None:
    data = {**task_file().data.model_dump(), "held_out": "chest_xray.data:held_out"}
    request = a_request(tmp_path, data=data)
    whole, north = measure_held_out(request)
    assert (whole.num_examples, north.group, north.num_examples) == (11, "north", 11)
    trained = trainer(request)
    assert trained is not None
    assert trained[1] == 200


def test_a_task_that_does_not_ask_measures_nothing(tmp_path: Path) -> None:
    request = a_request(tmp_path)
    plain = task_file()
    code = TaskCode(plain, request.package)
    assert code.held_out_examples(tmp_path, 1) is None
    assert len(code.participant_examples(tmp_path, 1)) == 200


def test_measuring_reads_the_held_out_part_once(tmp_path: Path, monkeypatch: Any) -> None:
    request = a_request(tmp_path)
    measure_held_out(request)
    monkeypatch.setattr(participation.TaskCode, "held_out_examples", None)
    assert len(measure_held_out(request)) == 1
