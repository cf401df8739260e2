"""`fluvial participate` in a task with a package: what trains, what travels, and what a new user is told."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result

from fluvial.cli import participate
from fluvial.cli.common import Exit
from fluvial.cli.verbs import app, mount_for
from fluvial.edge import participant as participant_module
from fluvial.edge.packages import Packages, pinned
from fluvial.edge.training.task_code import TaskCode
from fluvial.encoding.planes import values_of
from fluvial.identity.envelope import seal
from fluvial.identity.keys import SigningKey
from fluvial.wire.layout import layout_digest
from fluvial.wire.records import RoundStatus, Task
from tests.unit.fluvial.cli.runner import invoke
from tests.unit.fluvial.edge.packages.packages_world import task_file, write
from tests.unit.fluvial.edge.world import OPERATOR, TASK, World, a_federation, topic_partitions
from tests.unit.fluvial.kafka.memory_transport import MemoryTransport

pytestmark = pytest.mark.timeout(60)

mount_for([])

WIDE = """
import torch
from torch import nn

def net(inputs):
    return nn.Linear(inputs, 2).double()

def fit(module, examples, training, seed):
    with torch.no_grad():
        module.weight += 2.0 ** -40
        module.bias += training["step"]
    return len(examples)
"""


class Packaged:
    """A federation in memory whose task has a package, with a round open."""

    def __init__(self, folder: Path, step: float = 0.25) -> None:
        self.package = write(folder, wide=WIDE)
        federation = a_federation()
        federation.save(folder / ".fluvial/federation.json")
        self.key = SigningKey.generate()
        self.key.save(folder / "key.pem")
        np.savez(folder / "1.npz", inputs=np.ones((4, 3)), targets=np.array([0, 1, 1, 0]))
        self.world = World(federation, MemoryTransport(topic_partitions(federation)))
        packages = Packages([self.package])
        wanted = task_file(
            task=TASK,
            model={"builder": "chest_xray.wide:net", "parameters": {"inputs": 3}},
            training={"trainer": "chest_xray.wide:fit", "step": step},
        )
        signed = pinned(wanted, packages.of(wanted))
        self.state = TaskCode.of(signed, packages).state()
        self.layout = self.state.layout
        record = Task(
            task=TASK,
            specification=signed.specification(),
            layout=self.layout,
            base_version=0,
            base_digest=bytes(32),
            base_chunks=(),
            created_ms=1,
        )
        self.world.put(self.world.topics.registry, f"task/{TASK}", seal(record, OPERATOR, "operator"))
        self.world.enrolled("alice", self.key)
        self.training = json.dumps(signed.training.model_dump(mode="json"))
        self.open(1)

    def open(self, number: int, status: RoundStatus = RoundStatus.OPEN) -> None:
        self.world.open_round(
            number,
            model_D=self.state.flatten(),
            status=status,
            layout=self.layout,
            layout_digest=layout_digest(self.layout),
            num_elements=self.state.size,
            training=self.training,
        )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])  # on which the folder stays as long as the process
    return tmp_path


def run(packaged: Packaged, monkeypatch: pytest.MonkeyPatch, *more: str, until: str = "Published") -> Result:
    monkeypatch.setattr(participant_module, "connect", lambda brokers, client_id: packaged.world.transport)
    genuine = participate.as_dict

    def end_after(event: Any) -> dict[str, Any]:
        if type(event).__name__ == until:
            packaged.open(2, RoundStatus.FINISHED)
        return genuine(event)

    monkeypatch.setattr(participate, "as_dict", end_after)
    arguments = ["--name", "alice", "--key", "key.pem", "--data", ".", "--index", "1", "--json", *more]
    return invoke(app, "participate", TASK, *arguments)


def test_the_packages_own_trainer_trains_and_its_float64_travels(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packaged = Packaged(folder)
    result = run(packaged, monkeypatch, "--package", "chest-xray")
    assert result.exit_code == 0, result.output
    (update,) = packaged.world.updates(packaged.key.public_key)
    assert update.weight == 4
    assert update.layout_digest == layout_digest(packaged.layout)
    delta = np.frombuffer(update.inline, "<f4")
    assert values_of(delta[:18]).tolist() == [2.0**-40] * 6  # beneath what float32 weights could have told
    assert values_of(delta[18:]).tolist() == [0.25, 0.25]


def test_code_that_was_not_allowed_does_not_run_and_it_is_said_what_to_install(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run(Packaged(folder), monkeypatch)
    assert result.exit_code == Exit.USAGE
    assert "not allowed here: get it from the task's operator" in " ".join(result.stderr.split())
    assert "--package chest-xray" in result.stderr


def test_another_version_of_the_package_is_refused_before_anything_trains(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packaged = Packaged(folder)
    (packaged.package / "parts.py").write_text("def width():\n    return 2\n")
    result = run(packaged, monkeypatch, "--package", "chest-xray")
    assert result.exit_code == Exit.USAGE
    assert "pins the package chest-xray with digest" in result.stderr
    assert packaged.world.updates(packaged.key.public_key) == []


def test_data_that_are_not_there_are_told_before_a_round(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packaged = Packaged(folder)
    result = run(packaged, monkeypatch, "--package", "chest-xray", "--index", "7")
    assert result.exit_code == Exit.USAGE
    assert "7.npz" in " ".join(result.stderr.split())
    assert result.stdout == ""


def test_weights_that_are_no_numbers_are_told_and_not_published(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packaged = Packaged(folder, step=1e300)
    result = run(packaged, monkeypatch, "--package", "chest-xray", until="NotTrained")
    assert result.exit_code == 0, result.output
    events = [json.loads(line) for line in result.stdout.splitlines()]
    (told,) = [event for event in events if event["event"] == "NotTrained"]
    assert "training diverged: tensor bias has float64 values beyond" in told["reason"]
    assert packaged.world.updates(packaged.key.public_key) == []


def test_cuda_that_is_not_there_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    result = run(Packaged(folder), monkeypatch, "--package", "chest-xray", "--device", "cuda")
    assert result.exit_code == Exit.USAGE
    assert "cuda was asked for, but torch finds none" in " ".join(result.stderr.split())
