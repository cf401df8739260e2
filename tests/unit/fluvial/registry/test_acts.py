"""Acts of the operator: what it signs, and what brings it back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from fluvial.identity.federation import Federation
from fluvial.identity.keys import SigningKey
from fluvial.registry.acts import MAX_REASON, ActRefused, OperatorActs
from fluvial.registry.records import RegistryRecord
from fluvial.wire.records import Task, TaskStatus
from fluvial.wire.task_file import AgreementSpec
from tests.unit.fluvial.kafka.memory_transport import MemoryTransport

OPERATOR, OTHER = (SigningKey.from_seed(bytes([number]) * 32) for number in (1, 2))
FEDERATION = Federation(
    bootstrap_servers="none:1",
    topic_prefix="x.",
    partitions=1,
    operator_key=OPERATOR.public_key.hex(),
    registrar_key=OTHER.public_key.hex(),
    aggregator_key=OTHER.public_key.hex(),
    log_key="log+00000000+AA==",
)
TASK = Task(
    task="heart",
    specification="{}",
    layout=(),
    base_version=0,
    base_digest=bytes(32),
    base_chunks=(),
    created_ms=1,
)
Act = Callable[[OperatorActs], Task]


@pytest.fixture
def transport() -> MemoryTransport:
    return MemoryTransport({FEDERATION.topics.registry: 1})


@pytest.fixture
def acts(transport: MemoryTransport) -> OperatorActs:
    made = OperatorActs(transport, FEDERATION, OPERATOR)
    made.register(TASK)
    return made


def status(acts: OperatorActs) -> TaskStatus:
    task = acts.registry().task("heart")
    assert task is not None
    return task.status


def test_a_task_is_paused_with_a_reason_and_goes_on(acts: OperatorActs) -> None:
    paused = acts.pause("heart", "wrong labels")
    assert acts.registry().task("heart") == paused
    assert (paused.status, paused.reason, paused.version) == (TaskStatus.PAUSED, "wrong labels", 1)
    resumed = acts.resume("heart")
    assert (resumed.status, resumed.reason, resumed.version) == (TaskStatus.RUNNING, "", 2)
    assert resumed.created_ms == TASK.created_ms


def test_copies_of_former_records_take_no_act_back(acts: OperatorActs, transport: MemoryTransport) -> None:
    acts.pause("heart")
    acts.resume("heart")
    acts.remove("heart")
    topic = FEDERATION.topics.registry
    reader = transport.read(topic)
    for message in reader.poll(1.0):
        transport.produce(topic, message.value, key=message.key).result(5)
        assert status(acts) is TaskStatus.REMOVED


@pytest.mark.parametrize(
    ("before", "act", "why"),
    [
        (lambda acts: acts.pause("heart"), lambda acts: acts.pause("heart"), "paused already"),
        (lambda acts: acts.finish("heart"), lambda acts: acts.pause("heart"), "finished by its operator already"),
        (lambda acts: acts.finish("heart"), lambda acts: acts.finish("heart"), "finished by its operator already"),
        (lambda acts: TASK, lambda acts: acts.resume("heart"), "running already"),
        (lambda acts: acts.remove("heart"), lambda acts: acts.resume("heart"), "removed, for good"),
        (lambda acts: TASK, lambda acts: acts.pause("lung"), "there is no task lung"),
    ],
)
def test_an_act_that_makes_no_sense_is_refused_and_writes_nothing(
    acts: OperatorActs, before: Act, act: Act, why: str
) -> None:
    before(acts)
    known = acts.registry().tasks()
    with pytest.raises(ActRefused, match=why):
        act(acts)
    assert acts.registry().tasks() == known


def test_other_terms_keep_the_tasks_status(acts: OperatorActs) -> None:
    acts.pause("heart", "why")
    updated = acts.update(acts.task("heart"), "{ }")
    assert (updated.status, updated.reason, updated.specification, updated.version) == (
        TaskStatus.PAUSED,
        "why",
        "{ }",
        2,
    )


class _AtTheSameMoment(OperatorActs):
    """Another operator's console has read the same record, and is a moment earlier."""

    def register(self, record: RegistryRecord) -> None:
        super().register(replace(TASK, specification="{ }", version=1))
        super().register(record)


@pytest.mark.parametrize("act", [lambda acts: acts.pause("heart"), lambda acts: acts.update(TASK, "{  }")])
def test_whose_act_does_not_count_because_of_another_is_told(
    acts: OperatorActs, transport: MemoryTransport, act: Act
) -> None:
    with pytest.raises(ActRefused, match="task/heart at the same moment"):
        act(_AtTheSameMoment(transport, FEDERATION, OPERATOR))
    assert status(acts) is TaskStatus.RUNNING


def test_a_reason_has_its_bounds(acts: OperatorActs) -> None:
    with pytest.raises(ValueError, match="500"):
        acts.pause("heart", "x" * (MAX_REASON + 1))


def test_an_agreement_is_registered_once(acts: OperatorActs, transport: MemoryTransport) -> None:
    wanted = AgreementSpec(name="terms", text="be kind")
    for _ in range(2):
        acts.agree(wanted)
    assert len(transport.read(FEDERATION.topics.registry).poll(1.0)) == 2
    with pytest.raises(ActRefused, match="another text"):
        acts.agree(AgreementSpec(name="terms", text="be quick"))
