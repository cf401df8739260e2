"""What `create_task` signs of a task with a package, and what it refuses."""

from pathlib import Path
from typing import Any

import pytest

from deploy.acts import tasks
from deploy.acts.tasks import CreatedTask, create_task
from deploy.federation.keys import ServiceKeys
from fluvial.edge.packages import Packages, TaskPackage
from fluvial.edge.training.task_code import TaskCode
from fluvial.identity.brokers import Brokers
from fluvial.wire.task_file import TaskFile
from tests.unit.fluvial.edge.packages.packages_world import task_file, write
from tests.unit.fluvial.edge.world import topic_partitions
from tests.unit.fluvial.kafka.memory_transport import MemoryTransport

MIXED = """
from torch import nn

def net(inputs):
    return nn.Sequential(nn.Linear(inputs, 4).bfloat16(), Widen(), nn.BatchNorm1d(4), nn.Linear(4, 2))

class Widen(nn.Module):
    def forward(self, values):
        return values.float()
"""


@pytest.fixture
def create(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    keys = ServiceKeys.load_or_make(tmp_path / "keys")
    federation = keys.federation(Brokers(bootstrap_servers="memory"), topic_prefix="x.", partitions=3)
    transport = MemoryTransport(topic_partitions(federation))
    monkeypatch.setattr(tasks, "connect", lambda *_: transport)

    def make(folder: Path, **changes: Any) -> CreatedTask:
        return create_task(federation, keys, task_file(**changes), Packages([folder]))

    return make


def test_the_signed_task_pins_the_packages_digest_and_has_every_dtype(create: Any, tmp_path: Path) -> None:
    folder = write(tmp_path, mixed=MIXED)
    created = create(folder, model={"builder": "chest_xray.mixed:net", "parameters": {"inputs": 3}, "local": ["3.*"]})
    signed = TaskFile.model_validate_json(created.task.specification)
    assert signed.package is not None
    assert signed.package.digest == TaskPackage.open(folder).digest
    assert [(tensor.name, tensor.dtype) for tensor in created.task.layout] == [
        ("0.weight", "bfloat16"),
        ("0.bias", "bfloat16"),
        *((f"2.{name}", "float32") for name in ("weight", "bias", "running_mean", "running_var")),
    ]
    assert created.manifest.layout == created.task.layout
    assert created.manifest.num_elements == 12 + 4 + 16


def test_the_signed_task_pins_the_weights_that_do_not_travel(create: Any, tmp_path: Path) -> None:
    folder = write(tmp_path)
    model = {"builder": "chest_xray.model:net", "parameters": {"inputs": 2}, "train": ["bias"], "seed": 1}
    signed = TaskFile.model_validate_json(create(folder, model=model).task.specification)
    TaskCode.of(signed, Packages([folder])).state()
    drawn_otherwise = signed.model_copy(update={"model": signed.model.model_copy(update={"seed": 2})})
    with pytest.raises(ValueError, match="that do not travel are others here"):
        TaskCode.of(drawn_otherwise, Packages([folder])).state()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"model": {"builder": "chest_xray.gone:net"}}, r"has no module chest_xray\.gone"),
        (
            {"model": {"builder": "chest_xray.model:net", "parameters": {"inputs": 9}}},
            "do not fit the module",
        ),
        ({"data": {"evaluation": "chest_xray.data:empty"}}, "fails: TypeError"),
        ({"evaluation": {"metrics": ["chest_xray.own:gone"]}}, "has no gone"),
        ({"evaluation": {"metrics": ["r2", "mae"]}}, r"predictions have shape \[3, 2\], targets \[3\]"),
        ({"package": {"name": "chest-xray", "digest": "0" * 64}}, "pins the package chest-xray with digest 000"),
        ({"package": {"name": "other"}, "model": {"architecture": "x"}, "data": {}, "evaluation": None}, "not allowed"),
    ],
)
def test_a_task_that_could_not_run_is_refused_saying_why(
    create: Any, tmp_path: Path, changes: dict[str, Any], why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        create(write(tmp_path), **changes)


def test_an_evaluation_set_with_one_class_is_refused_for_a_metric_that_needs_two(create: Any, tmp_path: Path) -> None:
    data = (
        "import numpy as np\n\ndef evaluation(folder):\n    return np.eye(3, dtype=np.float32), np.ones(3, np.int64)\n"
    )
    folder = write(tmp_path, data=data)
    changes = {"data": {"evaluation": "chest_xray.data:evaluation"}, "evaluation": {"metrics": ["auc"]}}
    with pytest.raises(ValueError, match="auc needs examples of both classes, and all 3 are of class 1"):
        create(folder, **changes)
