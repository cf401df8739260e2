"""Whoever writes junk to a topic does not write a participant's log with it."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from fluvial.edge.mailbox import Mailbox
from fluvial.edge.measurements import MeasurementFollower
from fluvial.edge.region.sums import SumFollower
from fluvial.edge.registry import Registry
from fluvial.edge.rounds import RoundFollower
from fluvial.kafka import Start
from tests.unit.fluvial.edge.world import TASK, World

RECORDS = 1_000
MOST_LINES = 12
"""One whenever their number has doubled, and two to spare."""

NEWER = b"\xc3\x01" + bytes(8) + b"of a schema that is not known"
"""The framing of a record of another version."""


def rounds(world: World) -> None:
    RoundFollower(world.transport, world.federation).refresh()


def registry(world: World) -> None:
    Registry(world.transport, world.federation).refresh()


def sums(world: World) -> None:
    SumFollower(world.transport, world.federation, TASK).refresh()


def releases(world: World) -> None:
    assert MeasurementFollower(world.transport, world.federation).refresh() == []


def verdicts(world: World) -> None:
    mailbox = Mailbox(world.transport, world.topics, TASK, Start.BEGINNING)
    for _ in range(RECORDS):
        assert mailbox.poll(0.0) == []


@pytest.mark.parametrize(
    ("topic", "key", "read"),
    [
        ("rounds", TASK, rounds),
        ("registry", f"task/{TASK}", registry),
        ("models", f"{TASK}/1", sums),
        ("releases", TASK, releases),
        ("verdicts", TASK, verdicts),
    ],
)
def test_junk_is_counted_and_told_in_few_lines(
    world: World, topic: str, key: str, read: Callable[[World], None], caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(RECORDS):
        world.put(getattr(world.topics, topic), key, NEWER)
    with caplog.at_level(logging.WARNING):
        read(world)
    assert 1 <= len(caplog.records) <= MOST_LINES
    assert "skipped so far" in caplog.records[-1].getMessage()


def test_a_tombstone_which_anybody_may_write_hides_neither_task_nor_agreement(world: World) -> None:
    task = world.publish_task()
    terms_sha256 = world.publish_agreement()
    registry = Registry(world.transport, world.federation)
    registry.refresh()
    world.put(world.topics.registry, f"task/{TASK}", b"")
    world.put(world.topics.registry, "agreement/research", b"")
    registry.poll(0.1)
    for view in (registry, Registry(world.transport, world.federation)):
        view.refresh()
        assert view.existing_task(TASK) == task
        terms = view.terms("research")
        assert terms is not None
        assert terms.sha256 == terms_sha256
