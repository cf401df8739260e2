"""The dishonest participants do what they claim to: without that, their refusal proves nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from deploy.demo.adversaries import Replayer, forge, poisoned
from deploy.demo.cast import Member, Role
from deploy.demo.reports import Reporter, ReportReader, Sent
from fluvial.edge.events import Published
from fluvial.identity.envelope import open_envelope
from fluvial.kafka import Message
from fluvial.wire.framing import decode
from fluvial.wire.records import ModelUpdate, RoundStatus
from fluvial.wire.task_file import TaskFile
from tests.unit.fluvial.edge.world import SPECIFICATION, TASK, World, a_federation, topic_partitions, wait_until
from tests.unit.fluvial.kafka.memory_transport import MemoryTransport

FEDERATION = a_federation()
TASK_FILE = TaskFile.model_validate(SPECIFICATION)


UPDATES = FEDERATION.topics.updates


@pytest.fixture
def transport() -> MemoryTransport:
    return MemoryTransport(topic_partitions(FEDERATION))


@pytest.fixture
def world(transport: MemoryTransport) -> World:
    return World(FEDERATION, transport)


@pytest.fixture
def reporter(tmp_path: Path) -> Iterator[Reporter]:
    reporter = Reporter(tmp_path / "reports.jsonl")
    yield reporter
    reporter.close()


def test_the_poisoner_turns_its_delta_round_and_makes_it_ten_times_larger(world: World) -> None:
    train = poisoned(lambda base_D, round_: (np.ones_like(base_D), 7))
    delta_D, weight = train(np.zeros(4, np.float32), world.a_round())
    np.testing.assert_array_equal(delta_D, np.full(4, -10, np.float32))
    assert delta_D.dtype == np.float32
    assert weight == 7


def test_the_replayer_sends_the_bytes_of_the_round_before(
    world: World, transport: MemoryTransport, reporter: Reporter, tmp_path: Path
) -> None:
    member = Member(name="replayer", role=Role.REPLAYER, group=0)
    replayer = Replayer(member, FEDERATION.topics, transport, reporter)
    for round_ in (1, 2):
        at = replayer.produce(UPDATES, b"envelope of round %d" % round_, key=b"replayer").result()
        replayer.on_event(
            Published(
                task=TASK,
                round=round_,
                attempt=1,
                update_id="",
                partition=at.partition,
                offset=at.offset,
                num_uploaded=0,
            )
        )
    assert [message.value for message in sorted_by_time(transport)] == [
        b"envelope of round 1",
        b"envelope of round 2",
        b"envelope of round 1",
    ]
    (sent,) = sent_by(tmp_path)
    assert (sent.kind, sent.round) == ("replay", 2)


def test_the_forger_signs_with_a_stranger_s_key_under_two_names(
    world: World, transport: MemoryTransport, reporter: Reporter, tmp_path: Path
) -> None:
    member = Member(name="forger", role=Role.FORGER, group=0, victim="hospital")
    forger = threading.Thread(
        target=forge, args=(member, TASK_FILE, FEDERATION, transport, tmp_path / "outboxes", reporter)
    )
    forger.start()
    for number in (1, 2):
        world.open_round(number)
        wait_until(lambda number=number: len(transport.messages(UPDATES)) == number)
    world.open_round(2, status=RoundStatus.FINISHED)
    forger.join(10)
    assert not forger.is_alive()

    for message, name, round_ in zip(sorted_by_time(transport), ("forger", "hospital"), (1, 2), strict=True):
        envelope = open_envelope(message.value or b"")
        update = decode(envelope.payload, ModelUpdate)
        assert update.participant == (message.key or b"").decode() == envelope.signatures[0].keyid == name
        assert np.all(world.delta_of(update) == -round_), "it would undo what was learnt"
    assert [(report.member, report.kind, report.round) for report in sent_by(tmp_path)] == [
        ("forger", "forgery", 1),
        ("forger", "forgery", 2),
    ]


def sent_by(tmp_path: Path) -> list[Sent]:
    return [report for report in ReportReader(tmp_path / "reports.jsonl").new() if isinstance(report, Sent)]


def sorted_by_time(transport: MemoryTransport) -> list[Message]:
    return sorted(transport.messages(UPDATES), key=lambda message: message.timestamp_ms)
