"""Lightning's trainer in a federation in memory."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from fluvial.edge import Participant
from fluvial.edge.events import Published
from fluvial.edge.lightning import FederatedRounds
from fluvial.identity.envelope import seal
from fluvial.identity.keys import SigningKey
from fluvial.wire.records import RoundStatus
from tests.unit.fluvial.edge.world import OPERATOR, SPECIFICATION, TASK, World, a_federation, topic_partitions
from tests.unit.fluvial.kafka.memory_transport import MemoryTransport

KEY = SigningKey.from_seed(b"k" * 32)


class Classifier(lightning.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(20, 50)
        self.made: list[torch.optim.Optimizer] = []
        self.began: list[float] = []

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        if batch_idx == 0:
            self.began.append(float(self.net.weight.detach().mean()))
        inputs, targets = batch
        return nn.functional.cross_entropy(self.net(inputs), targets)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        self.made.append(torch.optim.SGD(self.parameters(), lr=0.5, momentum=0.9))
        return self.made[-1]


@pytest.fixture
def world() -> World:
    federation = a_federation()
    found = World(federation, MemoryTransport(topic_partitions(federation)))
    found.publish_task()
    return found


def run(world: World, tmp_path: Path, last: int = 2, **options: Any) -> Classifier:
    def go_on(event: object) -> None:
        if isinstance(event, Published):
            over = event.round == last
            status = RoundStatus.FINISHED if over else RoundStatus.OPEN
            world.open_round(number=event.round + (not over), status=status)

    random = torch.Generator().manual_seed(1)
    examples = TensorDataset(torch.randn(30, 20, generator=random), torch.randint(0, 50, (30,), generator=random))
    module = Classifier()
    with Participant(world.federation, "alice", KEY, tmp_path / "alice.sqlite", world.transport) as participant:
        rounds = FederatedRounds(
            participant,
            TASK,
            on_event=go_on,
            **{"part": "net", "epochs": 2, **options},
        )
        trainer = lightning.Trainer(
            max_epochs=-1,
            callbacks=[rounds],
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(module, DataLoader(examples, batch_size=8))
        assert trainer.current_epoch == 2 * last
    return module


def test_each_round_begins_with_its_model_and_the_task_ends_the_training(world: World, tmp_path: Path) -> None:
    world.open_round()
    module = run(world, tmp_path)
    updates = world.updates(KEY.public_key)
    assert [(update.round, update.weight) for update in updates] == [(1, 30), (2, 30)]
    assert module.began[0] == 1.0, "the model of round 1 is ones"
    assert module.began[2] == 2.0, "that of round 2 twos"
    assert module.began[1] != 1.0
    assert all(np.abs(world.delta_of(update)).max() > 0 for update in updates)
    assert len(module.made) == 2, "momentum of one round is not carried into the next"


def test_what_is_published_is_how_far_the_module_came(world: World, tmp_path: Path) -> None:
    world.open_round()
    module = run(world, tmp_path, last=1)
    (update,) = world.updates(KEY.public_key)
    after = torch.cat([module.net.weight.detach().flatten(), module.net.bias.detach()]).numpy()
    np.testing.assert_allclose(world.delta_of(update), after - 1.0, atol=1e-6)


def test_a_task_that_is_over_trains_nothing(world: World, tmp_path: Path) -> None:
    world.open_round(status=RoundStatus.FINISHED)
    module = run(world, tmp_path, last=0)
    assert module.began == []
    assert world.updates(KEY.public_key) == []


def test_a_part_that_is_not_there_and_a_round_of_no_epochs_are_errors(world: World, tmp_path: Path) -> None:
    world.open_round()
    with pytest.raises(AttributeError, match="no attribute `head`"):
        run(world, tmp_path, part="head")
    with pytest.raises(ValueError, match="at least one epoch"):
        run(world, tmp_path, epochs=0)


def test_metrics_of_held_out_examples_are_of_the_rounds_model(world: World, tmp_path: Path) -> None:
    specification = {**SPECIFICATION, "held_out": {"metrics": ["accuracy", "loss"]}}
    record = replace(world.publish_task(), specification=json.dumps(specification), created_ms=2)
    world.put(world.topics.registry, f"task/{TASK}", seal(record, OPERATOR, "operator"))
    world.open_round()
    held_out = np.random.default_rng(1).normal(size=(12, 20)).astype(np.float32), np.arange(12)
    run(world, tmp_path, held_out=held_out)
    told = [update.measured[0] for update in world.updates(KEY.public_key)]
    assert [each.num_examples for each in told] == [12, 12]
    losses = [metric.value for each in told for metric in each.metrics if metric.name == "loss"]
    np.testing.assert_allclose(losses, [np.log(50)] * 2, rtol=1e-4)  # a model of one number knows nothing
