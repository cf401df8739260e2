"""Nothing is refused for what the log holds already."""

import threading
import time
from typing import Any

import pytest

from fluvial.wire.errors import TransportError
from pipelines.flink.frames import SourceRecord
from pipelines.validation import committed
from pipelines.validation.catching_up import CatchingUp
from pipelines.validation.known import Known
from pipelines.validation.trusted_records import TrustedRecords
from tests.unit.pipelines.validation.stage import SETTINGS


def wait_until_known(catching_up: CatchingUp, at_ms: int) -> None:
    deadline = time.monotonic() + 10
    while not catching_up.is_known(at_ms):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def test_what_was_read_at_the_start_needs_no_reading() -> None:
    catching_up = CatchingUp(lambda: pytest.fail("nobody asked"), 1_000)
    assert catching_up.is_known(999)
    catching_up.close()


def test_a_reading_counts_for_what_came_before_it_began() -> None:
    gate, readings = threading.Event(), []

    def read() -> None:
        readings.append(now_ms())
        assert gate.wait(10)

    catching_up, asked_ms = CatchingUp(read, 0, 0.0), now_ms() - 1
    assert not catching_up.is_known(asked_ms)
    while not readings:
        time.sleep(0.01)
    later_ms = now_ms() + 1
    time.sleep(0.01)
    gate.set()
    wait_until_known(catching_up, asked_ms)
    wait_until_known(catching_up, later_ms)
    assert len(readings) == 2
    catching_up.close()


def test_a_broker_that_is_away_is_asked_again() -> None:
    attempts = []

    def read() -> None:
        attempts.append(1)
        if len(attempts) < 3:
            raise TransportError("away")

    catching_up = CatchingUp(read, 0, 0.0)
    wait_until_known(catching_up, 5)
    assert len(attempts) == 3
    catching_up.close()


def test_what_is_known_by_a_clock_that_was_set_back_since_is_read_anew() -> None:
    read: list[int] = []
    catching_up = CatchingUp(lambda: read.append(1), now_ms() + 3_600_000, 0.0)
    wait_until_known(catching_up, now_ms())
    assert read
    catching_up.close()


def test_nothing_is_left_when_it_is_closed() -> None:
    before = threading.active_count()
    catching_up = CatchingUp(lambda: None, 0)
    wait_until_known(catching_up, 5)
    catching_up.close()
    assert threading.active_count() == before
    assert not catching_up.is_known(now_ms() + 1_000)
    assert threading.active_count() == before


def test_it_is_read_on_from_where_the_sources_have_come_to(monkeypatch: pytest.MonkeyPatch) -> None:
    starts: dict[str, dict[int, int]] = {}

    def read_to_end(brokers: Any, topic: str, *, start: dict[int, int], **_: Any) -> list[SourceRecord]:
        starts[topic] = start
        offset = start.get(0, 0)
        return [SourceRecord(0, offset, 1, b"token/junk", b"junk"), SourceRecord(0, offset + 2, 1, b"x", b"junk")]

    monkeypatch.setattr(committed.log_reader, "read_to_end", read_to_end)
    known = Known(trusted=TrustedRecords.of(SETTINGS))
    known.heard("registry", SourceRecord(0, 7, 1, b"", b""))
    known.heard("registry", SourceRecord(0, 3, 1, b"", b""))
    for registry, rounds in ((8, 0), (11, 3)):
        committed.read_on(SETTINGS, known)
        topics = SETTINGS.topics
        assert (starts[topics.registry].get(0, 0), starts[topics.rounds].get(0, 0)) == (registry, rounds)
