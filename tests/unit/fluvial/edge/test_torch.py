"""A training script's own loop, against a federation in memory: the world acts from within the participant's events."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from fluvial.edge.events import Interrupted, NotTrained, Published, SatOut
from fluvial.edge.torch import Federated
from fluvial.identity.envelope import seal
from fluvial.kafka import TransportUnavailable
from fluvial.wire.errors import ChunkUnavailable
from fluvial.wire.layout import layout_digest
from fluvial.wire.records import RoundStatus, TensorLayout
from tests.unit.fluvial.edge.world import OPERATOR, SPECIFICATION, TASK, World

pytestmark = pytest.mark.timeout(60)


def a_module() -> nn.Module:
    return nn.Linear(20, 50)


def step(module: nn.Module, size: float) -> None:
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += size


@pytest.fixture
def task(world: World) -> str:
    world.publish_task()
    return TASK


def publish_task(world: World, **model: object) -> None:
    record = replace(
        world.publish_task(),
        specification=json.dumps({**SPECIFICATION, "model": {**SPECIFICATION["model"], **model}}),
        created_ms=2,
    )
    world.put(world.topics.registry, f"task/{TASK}", seal(record, OPERATOR, "operator"))


def going_on(world: World, last: int = 3):
    """Opens the next round when one has the update."""

    def on_event(event) -> None:
        events.append(event)
        if isinstance(event, Published | NotTrained | SatOut):
            number = event.round if isinstance(event, Published) else event.round.round
            over = number == last
            world.open_round(number=number + (not over), status=RoundStatus.FINISHED if over else RoundStatus.OPEN)

    events: list = []
    on_event.events = events  # type: ignore[attr-defined]
    return on_event


def test_each_round_begins_with_its_model_and_publishes_the_difference(participant, world, key, task) -> None:
    module, seen = a_module(), []
    world.open_round()
    with Federated(participant, task, module, on_event=going_on(world)) as federated:
        for round_ in federated.rounds():
            seen.append(float(module.weight.detach().mean()))
            assert module.training
            step(module, 0.5 * round_.round)
            module.eval()
            assert federated.publish(round_, examples=7) is not None
    updates = world.updates(key.public_key)
    assert seen == [1.0, 2.0, 3.0]
    assert [(update.round, update.weight) for update in updates] == [(1, 7), (2, 7), (3, 7)]
    for update in updates:
        np.testing.assert_array_equal(world.delta_of(update), np.full(1050, 0.5 * update.round, np.float32))


def test_training_that_diverged_is_not_published_and_the_next_round_is_taken(participant, world, key, task) -> None:
    module, listener = a_module(), going_on(world, last=2)
    world.open_round()
    with Federated(participant, task, module, on_event=listener) as federated:
        for round_ in federated.rounds():
            step(module, float("nan") if round_.round == 1 else 1.0)
            assert (federated.publish(round_, examples=7) is None) == (round_.round == 1)
    assert [update.round for update in world.updates(key.public_key)] == [2]
    assert [event.reason for event in listener.events if isinstance(event, NotTrained)] == [
        "the delta is not all finite: training diverged; a smaller learning_rate may help"
    ]


def test_no_examples_sit_the_round_out(participant, world, key, task) -> None:
    module, listener = a_module(), going_on(world, last=1)
    world.open_round()
    with Federated(participant, task, module, on_event=listener) as federated:
        assert [federated.publish(round_, examples=0) for round_ in federated.rounds()] == [None]
    assert world.updates(key.public_key) == []


def test_what_the_broker_cut_short_is_sent_when_the_rounds_go_on(participant, world, key, task, monkeypatch) -> None:
    module, listener = a_module(), going_on(world, last=1)
    world.open_round()
    send = participant._publisher._send
    failures = iter([TransportUnavailable("gone")])

    def failing(envelope):
        for failure in failures:
            raise failure
        return send(envelope)

    monkeypatch.setattr(participant._publisher, "_send", failing)
    trained = 0
    with Federated(participant, task, module, on_event=listener) as federated:
        for round_ in federated.rounds():
            trained += 1
            step(module, 1.0)
            assert federated.publish(round_, examples=3) is None
    assert trained == 1
    assert any(isinstance(event, Interrupted) for event in listener.events)
    (update,) = world.updates(key.public_key)
    np.testing.assert_array_equal(world.delta_of(update), np.ones(1050, np.float32))


def test_a_model_that_cannot_be_read_is_waited_for_or_passed_over(participant, world, key, task, monkeypatch) -> None:
    module, listener = a_module(), going_on(world, last=2)
    world.open_round()
    base_model, failures = participant.base_model, iter([TransportUnavailable("away"), ChunkUnavailable("gone")])

    def failing(round_):
        for failure in failures:
            if isinstance(failure, ChunkUnavailable):
                world.open_round(number=2)
            raise failure
        return base_model(round_)

    monkeypatch.setattr(participant, "base_model", failing)
    monkeypatch.setattr("fluvial.edge.torch._RETRY_SECONDS", 0.01)
    with Federated(participant, task, module, on_event=listener) as federated:
        for round_ in federated.rounds():
            step(module, 1.0)
            federated.publish(round_, examples=3)
    assert [update.round for update in world.updates(key.public_key)] == [2]
    assert sum(isinstance(event, Interrupted) for event in listener.events) == 2


def test_what_stays_with_the_participant_is_there_again(participant, world, key) -> None:
    publish_task(world, local=["bias"])
    layout = (TensorLayout(name="weight", shape=(50, 20)),)
    fields = {"layout": layout, "layout_digest": layout_digest(layout), "num_elements": 1000}
    model = np.ones(1000, np.float32)
    world.open_round(model_D=model, **fields)
    module = a_module()
    with torch.no_grad():
        module.bias.fill_(5.0)
    with Federated(participant, TASK, module) as federated:
        round_ = next(federated.rounds())
        step(module, 1.0)
        assert federated.publish(round_, examples=3) is not None
    again = a_module()  # a process that starts anew
    world.open_round(number=2, model_D=model, **fields)
    with Federated(participant, TASK, again) as federated:
        next(federated.rounds())
        assert again.bias.detach().unique().tolist() == [6.0]
        assert again.weight.detach().unique().tolist() == [1.0]
    (update,) = world.updates(key.public_key)
    np.testing.assert_array_equal(world.delta_of(update), np.ones(1000, np.float32))


def test_wrong_use_says_what_is_wrong(participant, world, task) -> None:
    with pytest.raises(ValueError, match="no task 'other'"):
        Federated(participant, "other", a_module())
    round_ = world.open_round()
    with Federated(participant, task, a_module()) as federated, pytest.raises(ValueError, match="that `rounds` gave"):
        federated.publish(round_, examples=1)
    with Federated(participant, task, nn.Linear(21, 50)) as federated:
        with pytest.raises(ValueError, match=r"has weight .*\[50, 21\] where the round has weight .*\[50, 20\]"):
            next(federated.rounds())
        with pytest.raises(ValueError, match="that `rounds` gave"):
            federated.publish(round_, examples=1)
    with Federated(participant, task, a_module(), encoding="float16") as federated:
        round_ = next(federated.rounds())
        with pytest.raises(ValueError, match="the round takes the encodings"):
            federated.publish(round_, examples=1)


def test_stop_ends_the_rounds(participant, world, task) -> None:
    world.open_round()
    with Federated(participant, task, a_module()) as federated:
        for _ in federated.rounds():
            participant.stop()
