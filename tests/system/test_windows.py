"""Asynchronous windows and sampling in a running federation: participants on different versions at once, windows of
broker time, invitations by seed. One job has all the tasks."""

from __future__ import annotations

import json
from typing import Any

import pytest
from confluent_kafka import OFFSET_END, TopicPartition
from confluent_kafka.admin import AdminClient

from deploy.acts.tasks import create_task
from fluvial.identity.envelope import seal
from fluvial.transparency.event import EVENT_TYPES
from fluvial.wire.framing import decode
from fluvial.wire.layout import model_digest
from fluvial.wire.records import (
    AuditEvent,
    ChunkReference,
    ModelManifest,
    Round,
    RoundEvent,
    RoundTransition,
    Task,
    TensorLayout,
)
from fluvial.wire.sampling import invited, round_seed
from fluvial.wire.task_file import TaskFile
from models.aggregation.staleness import UNIT, Polynomial
from pipelines.replay import KafkaLog, replay
from tests.system.small_federation import KRUM, MEAN, NUM_PARTICIPANTS, SmallFederation, task_file

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

WINDOW_MS = 3_000


@pytest.fixture
def federation(shared_federation: SmallFederation) -> SmallFederation:
    return shared_federation


def open_first_round(small: SmallFederation, task: str, **changes: Any) -> Round:
    specification = {**task_file(task, MEAN).model_dump(mode="json"), **changes}
    create_task(small.federation, small.stack.keys, TaskFile.model_validate(specification))
    return small.wait_for_round(task, 1)


def next_attempt(small: SmallFederation, failing: Round) -> Round:
    def newer() -> Round | None:
        small.rounds.poll(0.05)
        newest = small.rounds.newest(failing.task)
        return newest if newest is not None and newest.attempt > failing.attempt else None

    small.wait_until(lambda: newer() is not None, f"the next attempt of {failing.task}")
    found = newer()
    assert found is not None
    return found


def check_version(small: SmallFederation, manifest: ModelManifest, rounds: list[int]) -> None:
    """Its updates were trained for these rounds, count by how far they lag behind, and make these very bytes."""
    contributions = manifest.contributions
    assert sorted(contribution.round for contribution in contributions) == rounds
    for one in contributions:
        assert one.effective_weight == one.weight * Polynomial(0.5).factor(manifest.round - one.round)
    assert manifest.total_weight == UNIT * sum(one.weight for one in contributions)
    assert replay(KafkaLog(small.transport, small.federation), manifest.task, manifest.version).differs == ()


def check_receipts(small: SmallFederation, update_ids: list[str]) -> None:
    """One for each update, which tells that a model has it."""
    receipts = small.receipts()
    for update_id in update_ids:
        assert {key: count for key, count in receipts.items() if key[0] == update_id} == {(update_id, "INCLUDED"): 1}


def test_a_buffer_takes_updates_trained_on_different_versions(federation: SmallFederation) -> None:
    window = {"mode": "buffered", "max_staleness": 2}
    first = open_first_round(federation, "buffered", window=window, quorum=2, target=3)
    sent = federation.publish(first, [0, 1, 2])
    second = federation.wait_for_round("buffered", 2)
    sent += federation.publish(first, [3])
    sent += federation.publish(second, [4, 0])
    _, one, two = federation.wait_for_version("buffered", 2)
    check_version(federation, one, [1, 1, 1])
    check_version(federation, two, [1, 2, 2])
    check_receipts(federation, sent)


def test_a_tumbling_window_goes_on_until_it_has_its_quorum(federation: SmallFederation) -> None:
    """Windows without a quorum fail openly, one after the other; what they had is in the next that has one."""
    window = {"mode": "tumbling", "max_staleness": 1}
    first = open_first_round(
        federation, "tumbling", window=window, quorum=3, target=6, deadline_seconds=WINDOW_MS / 1000
    )
    sent = federation.publish(first, [0, 1])
    again = next_attempt(federation, first)
    sent += federation.publish(again, [2])
    second = federation.wait_for_round("tumbling", 2)
    sent += federation.publish(first, [3])
    sent += federation.publish(second, [4, 5])
    _, one, two = federation.wait_for_version("tumbling", 2)
    check_version(federation, one, [1, 1, 1])
    check_version(federation, two, [1, 2, 2])
    check_receipts(federation, sent)
    assert one.attempt > 1
    assert [round_.deadline_ms % WINDOW_MS for round_ in (first, again, second)] == [0, 0, 0]


def test_only_who_is_invited_is_taken(federation: SmallFederation) -> None:
    first = open_first_round(federation, "sampled", sampling={"fraction": 0.25, "over_invitation": 2.0})
    assert first.seed == round_seed("sampled", 1, 1, first.base_digest)
    numbers = range(NUM_PARTICIPANTS)
    update_ids = federation.publish(first, numbers)
    reasons = {}
    for number, update_id in zip(numbers, update_ids, strict=True):
        verdict = federation.participants[number].verdict_of(update_id, 120.0)
        assert verdict is not None
        reasons[number] = verdict.reason.value
    expected = {number: invited(f"participant-{number}", first.seed, 0.5) for number in numbers}
    assert reasons == {number: "ACCEPTED" if yes else "NOT_INVITED" for number, yes in expected.items()}
    assert 0 < sum(expected.values()) < NUM_PARTICIPANTS


def test_poison_fails_its_own_round_and_the_job_goes_on(federation: SmallFederation) -> None:
    """A task that no record could hold, registered by a client that does not check; and chunks that retention takes
    before their round closes, as it does where an outage is too long."""
    register_poison(federation)
    first = open_first_round(federation, "lost", rule=KRUM)
    sent = federation.publish(first, [0, 1])
    federation.wait_for_verdicts([0, 1], sent)
    take_all_chunks(federation)
    sent += federation.publish(first, [2, 3, 4, 5])
    again = next_attempt(federation, first)
    assert (again.round, again.attempt, again.base_version) == (1, 2, 0)
    federation.wait_until(lambda: len(outcomes(federation, sent)) == len(sent), "receipts")
    assert outcomes(federation, sent) == {update_id: {"ROUND_FAILED": 1} for update_id in sent}
    (failed,) = [event for event in round_events(federation, "lost") if event.transition is RoundTransition.FAILED]
    assert (failed.attempt, failed.num_updates) == (1, NUM_PARTICIPANTS)
    assert "a chunk is not available" in failed.reason
    open_first_round(federation, "healthy")
    federation.play("healthy")
    federation.wait_for_version("healthy", 2)
    assert federation.failures() == ""


def register_poison(small: SmallFederation) -> None:
    good = task_file("poison", MEAN).model_dump(mode="json")
    layout = (TensorLayout(name="weights", shape=(10,)),)
    chunk = ChunkReference(partition=0, offset=0, length=40, sha256=bytes(32))
    for number, changes in enumerate(({"target": 3_000_000_000}, {"deadline_seconds": 1e16}, {"task": "other"})):
        task = Task(
            task="poison",
            specification=json.dumps({**good, **changes}),
            layout=layout,
            base_version=0,
            base_digest=model_digest([bytes(32)]),
            base_chunks=(chunk,),
            created_ms=number,
        )
        sealed = seal(task, small.stack.keys.operator, "operator")
        small.transport.produce(small.federation.topics.registry, sealed, key=b"task/poison").result(30)


def take_all_chunks(small: SmallFederation) -> None:
    admin = AdminClient(small.federation.brokers.librdkafka())
    topic = small.federation.topics.update_blobs
    ends = [TopicPartition(topic, partition, OFFSET_END) for partition in range(small.federation.partitions)]
    for future in admin.delete_records(ends).values():
        future.result(30)


def outcomes(small: SmallFederation, update_ids: list[str]) -> dict[str, dict[str, int]]:
    """By update how many receipts of each outcome."""
    found: dict[str, dict[str, int]] = {}
    for (update_id, outcome), count in small.receipts().items():
        if update_id in update_ids:
            found.setdefault(update_id, {})[outcome] = count
    return found


def round_events(small: SmallFederation, task: str) -> list[RoundEvent]:
    events = [decode(message.value or b"", AuditEvent) for message in small.read(small.federation.topics.events)]
    found = [decode(event.data, RoundEvent) for event in events if event.type == EVENT_TYPES[RoundEvent]]
    return [event for event in found if event.task == task]
