"""What the page "Bring your model" shows runs: its package in a simulation, its script in a federation in memory."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from torch import nn

from deploy.commands.init import init
from deploy.commands.simulate import simulate
from fluvial.edge import Participant
from fluvial.identity.keys import SigningKey
from fluvial.wire.records import RoundStatus
from tests.unit.docs.blocks import blocks
from tests.unit.docs.churn import PAGE, write_churn
from tests.unit.fluvial.cli.runner import invoke
from tests.unit.fluvial.edge.world import World, a_federation, topic_partitions
from tests.unit.fluvial.kafka.memory_transport import MemoryTransport

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def fluvial() -> typer.Typer:
    app = typer.Typer()
    app.command()(init)
    app.command()(simulate)
    return app


def commands(verb: str) -> list[list[str]]:
    lines = [line.partition("#")[0].split() for block in blocks(PAGE, "bash") for line in block.splitlines()]
    return [words[1:] for words in lines if words[:2] == ["fluvial", verb]]


def test_the_package_of_the_template_and_that_of_the_page_learn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fluvial: typer.Typer
) -> None:
    monkeypatch.chdir(tmp_path)
    write_churn(tmp_path)
    for words in commands("init"):
        result = invoke(fluvial, *words)
        assert result.exit_code == 0, result.output
    simulated = commands("simulate")
    assert [words[1] for words in simulated] == ["chest-xray", "churn"]
    for words in simulated:
        result = invoke(fluvial, *words)
        assert result.exit_code == 0, result.output
        assert "8 participants" in result.stdout if words[1] == "chest-xray" else "3 participants" in result.stdout
    auc = float(re.findall(r"auc ([0-9.]+)", result.stdout)[-1])
    assert auc > 0.8


def test_the_training_script_takes_part(tmp_path: Path) -> None:
    federation = a_federation()
    transport = MemoryTransport(topic_partitions(federation))
    world, key = World(federation, transport), SigningKey.from_seed(b"k" * 32)
    world.publish_task()
    world.open_round()
    (script,) = [block for block in blocks(PAGE, "python") if "def fit" in block]
    torch.manual_seed(1)
    with Participant(federation, "alice", key, tmp_path / "alice.sqlite", transport) as participant:
        publish = participant.publish

        def publish_and_finish(*arguments: object) -> str | None:
            update_id = publish(*arguments)  # type: ignore[arg-type]
            world.open_round(number=1, status=RoundStatus.FINISHED)
            return update_id

        participant.publish = publish_and_finish  # type: ignore[method-assign, assignment]
        names = {
            "participant": participant,
            "module": nn.Linear(20, 50),
            "examples": torch.randn(40, 20),
            "targets": torch.randint(0, 50, (40,)),
        }
        exec(compile(script, str(PAGE), "exec"), names)
    (update,) = world.updates(key.public_key)
    assert update.weight == 40
    assert np.abs(world.delta_of(update)).max() > 0
