"""A device that disappears in mid-upload, and its second life with the same outbox."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from deploy.demo.cast import VANISHING_ROUND
from deploy.demo.reports import Report, Reporter, ReportReader, Stuck
from deploy.demo.vanishing import VanishingTransport
from fluvial.edge.events import Event, Published
from fluvial.edge.participant import Participant
from fluvial.identity.keys import SigningKey
from fluvial.wire.records import Round
from fluvial.wire.task_file import TaskFile
from tests.unit.fluvial.edge.world import SPECIFICATION, World, a_federation, topic_partitions
from tests.unit.fluvial.kafka.memory_transport import MemoryTransport

FEDERATION = a_federation()
TASK_FILE = TaskFile.model_validate(SPECIFICATION)
KEY = SigningKey.from_seed(b"k" * 32)
NUM_CHUNKS = 11


class Hung(BaseException):
    """The process was killed while it hung."""


def be_killed() -> None:
    raise Hung


def a_life(path: Path, memory: MemoryTransport, reporter: Reporter, live: Callable[[Participant], None]) -> None:
    """One process of the device."""
    transport = VanishingTransport(memory, FEDERATION.topics, "device", reporter, hang=be_killed)
    with Participant(FEDERATION, "device", KEY, path, transport, window_bytes=1) as participant:
        transport.arm(participant.outbox, TASK_FILE)
        live(participant)


def test_it_hangs_in_the_middle_and_sends_the_rest_in_its_second_life(tmp_path: Path) -> None:
    memory = MemoryTransport(topic_partitions(FEDERATION))
    world = World(FEDERATION, memory)
    reporter, reader = Reporter(tmp_path / "reports.jsonl"), ReportReader(tmp_path / "reports.jsonl")
    events: list[Event] = []

    def publish(participant: Participant, round_: Round) -> None:
        delta_D = np.full(round_.num_elements, 0.5, np.float32)
        participant.publish(round_, delta_D, weight=1, on_event=events.append)

    first, second = world.open_round(1), world.a_round(VANISHING_ROUND)
    a_life(tmp_path / "outbox.sqlite", memory, reporter, lambda participant: publish(participant, first))
    assert reader.new() == [], "in other rounds it does not hang"

    world.open_round(VANISHING_ROUND)
    hung: list[Report] = []
    try:
        a_life(tmp_path / "outbox.sqlite", memory, reporter, lambda participant: publish(participant, second))
    except Hung:
        hung = reader.new()
    assert hung == [Stuck(member="device", round=VANISHING_ROUND, num_acknowledged=6, num_chunks=NUM_CHUNKS)]
    assert len(world.chunks()) == NUM_CHUNKS + 6

    a_life(tmp_path / "outbox.sqlite", memory, reporter, lambda participant: participant.resume(events.append))
    assert reader.new() == []
    assert len(world.chunks()) == 2 * NUM_CHUNKS, "no chunk was sent twice"
    published = [event for event in events if isinstance(event, Published)]
    assert [(event.round, event.num_uploaded) for event in published] == [(1, NUM_CHUNKS), (VANISHING_ROUND, 5)]
    for update in world.updates(KEY.public_key):
        assert np.all(world.delta_of(update) == 0.5)
    reporter.close()
