"""What a participant hears of records that were refused many at once: a verdict on each of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fluvial.admission.over_rate import OverRates
from fluvial.edge.mailbox import Mailbox
from fluvial.kafka import Position, Start
from fluvial.wire.framing import encode
from fluvial.wire.records import OverRate, Reason, Verdict
from tests.unit.fluvial.edge.world import World

TIMEOUT_S = 5.0


def refused(world: World, name: str, *offsets: int) -> OverRate:
    gathered = OverRates(world.topics.updates)
    for offset in offsets:
        gathered.add((1, name), offset, 7, b"junk")
    (record,) = gathered.take()
    return record


def at(offset: int) -> Position:
    return Position(partition=1, offset=offset, timestamp_ms=7)


@pytest.fixture
def mailbox(world: World) -> Iterator[Mailbox]:
    found = Mailbox(world.transport, world.topics, "anna", Start.BEGINNING)
    yield found
    found.close()


def put(world: World, record: OverRate) -> None:
    world.put(world.topics.verdicts, record.participant, encode(record))


def test_each_record_of_this_participant_has_its_verdict(world: World, mailbox: Mailbox) -> None:
    put(world, refused(world, "anna", 5, 6, 9))
    put(world, refused(world, "ben", 7, 8))
    verdict = mailbox.verdict_at(world.topics.updates, at(9), TIMEOUT_S)
    assert verdict is not None
    assert (verdict.reason, verdict.participant) == (Reason.OVER_RATE, "anna")
    assert mailbox.verdict_at(world.topics.updates, at(5)) is not None
    assert mailbox.verdict_at(world.topics.updates, at(7), 0.2) is None


def test_they_arrive_one_by_one(world: World, mailbox: Mailbox) -> None:
    put(world, refused(world, "anna", 5, 6, 9))
    arrived = mailbox.poll(TIMEOUT_S)
    assert [each.source_offset for each in arrived if isinstance(each, Verdict)] == [5, 6, 9]


def test_what_was_refused_of_names_that_nobody_has_may_be_of_one_that_was_not_heard_of_yet(
    world: World, mailbox: Mailbox
) -> None:
    put(world, refused(world, "", 5, 6, 9))
    verdict = mailbox.verdict_at(world.topics.updates, at(6), TIMEOUT_S)
    assert verdict is not None
    assert (verdict.reason, verdict.participant) == (Reason.OVER_RATE, "anna")
    assert mailbox.poll(0.1) == []
    assert mailbox.verdict_at(world.topics.updates, at(7), 0.2) is None


def test_one_without_a_leaf_waits_for_it(world: World) -> None:
    proven: list[OverRate] = []
    mailbox = Mailbox(world.transport, world.topics, "anna", Start.BEGINNING, is_proven=lambda record: record in proven)
    record = refused(world, "anna", 5)
    put(world, record)
    assert mailbox.verdict_at(world.topics.updates, at(5), 0.3) is None
    proven.append(record)
    assert mailbox.verdict_at(world.topics.updates, at(5), TIMEOUT_S) is not None
    mailbox.close()
