"""What the page "Bring your model" shows of Lightning and Hugging Face runs, in a federation in memory."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import typer
from torch import nn
from typer.testing import CliRunner

from deploy.commands.simulate import simulate
from fluvial.edge import Participant
from fluvial.edge.packages import Packages, pinned
from fluvial.edge.training.task_code import TaskCode
from fluvial.identity.envelope import seal
from fluvial.identity.keys import SigningKey
from fluvial.wire.layout import layout_digest
from fluvial.wire.records import ModelUpdate, RoundStatus, Task
from fluvial.wire.task_file import TaskFile
from tests.unit.docs.blocks import CHECKOUT, blocks
from tests.unit.fluvial.edge.world import OPERATOR, World, a_federation, topic_partitions
from tests.unit.fluvial.kafka.memory_transport import MemoryTransport

PAGE = CHECKOUT / "docs" / "bring-your-model.md"
KEY = SigningKey.from_seed(b"k" * 32)


def script(name: str) -> str:
    (found,) = [block for block in blocks(PAGE, "python") if block.startswith(f"# {name}\n")]
    return found


@pytest.fixture
def world() -> World:
    federation = a_federation()
    return World(federation, MemoryTransport(topic_partitions(federation)))


def take_part(world: World, tmp_path: Path, name: str, names: dict[str, Any]) -> ModelUpdate:
    """Run a script of the page for one round; its update."""
    torch.manual_seed(1)
    with Participant(world.federation, "alice", KEY, tmp_path / "alice.sqlite", world.transport) as participant:
        publish = participant.publish

        def publish_and_finish(*arguments: Any) -> str | None:
            update_id = publish(*arguments)
            world.open_round(number=1, status=RoundStatus.FINISHED)
            return update_id

        participant.publish = publish_and_finish  # type: ignore[method-assign, assignment]
        exec(compile(script(name), str(PAGE), "exec"), {"participant": participant, **names})
    (update,) = world.updates(KEY.public_key)
    return update


def test_lightning_takes_part(world: World, tmp_path: Path) -> None:
    world.publish_task()
    world.open_round()
    names = {
        "module": nn.Linear(20, 50),
        "examples": torch.randn(40, 20),
        "targets": torch.randint(0, 50, (40,)),
    }
    update = take_part(world, tmp_path, "train_lightning.py", names)
    assert update.weight == 40
    assert np.abs(world.delta_of(update)).max() > 0


@pytest.fixture
def moods(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package of the page."""
    monkeypatch.chdir(tmp_path)
    for block in [*blocks(PAGE, "yaml"), *blocks(PAGE, "python")]:
        if named := re.match(r"# (moods/\S+)\n", block):
            file = tmp_path / named[1]
            file.parent.mkdir(exist_ok=True)
            file.write_text(block)
    folder = tmp_path / "moods"
    (folder / "data").mkdir()
    for number, place in enumerate(("data/0.npz", "data/1.npz", "evaluation.npz")):
        random = np.random.default_rng(number)
        moods = random.integers(0, 2, 200)
        texts = random.integers(0, 25, (200, 8)) + 25 * moods[:, None]
        np.savez(folder / place, texts=texts, moods=moods)
    return folder


def test_adapters_of_hugging_face_are_simulated(moods: Path) -> None:
    app = typer.Typer()
    app.command()(simulate)
    result = CliRunner().invoke(app, ["moods", "--rounds", "4"])
    assert result.exit_code == 0, result.output
    accuracies = [float(found) for found in re.findall(r"accuracy ([0-9.]+)", result.stdout)]
    assert max(accuracies) > 0.8


def test_adapters_take_part_by_hugging_faces_own_trainer(world: World, moods: Path, tmp_path: Path) -> None:
    packages = Packages([moods])
    wanted = TaskFile.read(moods / "task.yaml")
    signed = pinned(wanted, packages.of(wanted))
    code = TaskCode.of(signed, packages)
    state = code.state()
    assert all("lora_" in tensor.name or "classifier" in tensor.name for tensor in state.layout)
    record = Task(
        task="moods",
        specification=signed.specification(),
        layout=state.layout,
        base_version=0,
        base_digest=bytes(32),
        base_chunks=(),
        created_ms=1,
    )
    world.put(world.topics.registry, "task/moods", seal(record, OPERATOR, "operator"))
    open_round = world.open_round
    fields = {"task": "moods", "layout": state.layout, "layout_digest": layout_digest(state.layout)}
    world.open_round = lambda *arguments, **more: open_round(  # type: ignore[method-assign]
        *arguments, model_D=state.flatten(), num_elements=state.size, max_abs=8.0, **fields, **more
    )
    world.open_round()
    update = take_part(world, tmp_path, "train_adapters.py", {})
    delta = world.delta_of(update)
    assert update.weight == 200
    assert len(delta) == state.size < 2500, "adapters and head travel, not the base"
    assert np.abs(delta).max() > 0
