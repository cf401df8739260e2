"""How far back validation reads when it starts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from fluvial.identity.brokers import Brokers
from fluvial.wire.framing import encode
from fluvial.wire.records import Decision, Reason, Verdict
from pipelines.flink import log_reader
from pipelines.flink.frames import SourceRecord
from pipelines.flink.offsets import Bounds, RecordsLost, answers_since_ms
from pipelines.flink.stage_mac import StageMac
from pipelines.validation import committed
from tests.unit.pipelines.validation.stage import SETTINGS

DAY_MS = 24 * 3_600_000
NOW_MS = 1_800_000_000_000
A_VERDICT = Verdict(
    source_topic=SETTINGS.topics.updates,
    source_partition=0,
    source_offset=0,
    source_timestamp_ms=NOW_MS,
    record_sha256=bytes(32),
    participant="anna",
    task="demo",
    round=1,
    attempt=1,
    update_id="u",
    decision=Decision.REJECT,
    reason=Reason.STALE_ROUND,
    norm=0.0,
    max_abs=0.0,
)


class Log:
    """Topics as `log_reader` tells of them. held: what each partition of topic updates holds; empty where there is no
    such topic. arriving: written to each of them once the bounds are told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.records: dict[str, list[SourceRecord]] = {}
        self.held = {0: Bounds(0, 0, 0)}
        self.arriving = 0
        self.oldest_ms: int | None = None
        self.asked: dict[str, int] = {}
        self.mac = StageMac(bytes(32))
        monkeypatch.setattr(StageMac, "load", lambda folder: self.mac)
        for name in ("read_to_end", "offsets_at", "all_bounds", "ends", "never_written", "oldest_ms"):
            monkeypatch.setattr(log_reader, name, getattr(self, f"_{name}"))

    def write_verdict(self, offset: int, partition: int = 0) -> None:
        topic = SETTINGS.topics.verdicts
        value = encode(replace(A_VERDICT, source_partition=partition, source_offset=offset))
        self.records.setdefault(topic, []).append(
            SourceRecord(0, offset, NOW_MS, b"anna", value, (self.mac.header(topic, b"anna", value),))
        )

    def _read_to_end(self, brokers: Brokers, topic: str, **_: Any) -> Iterator[SourceRecord]:
        return iter(self.records.get(topic, ()))

    def _offsets_at(self, brokers: Brokers, topic: str, timestamp_ms: int) -> dict[int, int]:
        self.asked[topic] = timestamp_ms
        return {0: 0}

    def _all_bounds(self, brokers: Brokers, topics: Iterable[str]) -> dict[str, dict[int, Bounds]]:
        found = {topic: self.held if topic == SETTINGS.topics.updates else {0: Bounds(0, 0, 0)} for topic in topics}
        return {topic: held for topic, held in found.items() if held}

    def _ends(self, brokers: Brokers, topics: Iterable[str]) -> dict[str, dict[int, int]]:
        return {
            topic: {number: one.written + self.arriving for number, one in held.items()}
            for topic, held in self._all_bounds(brokers, topics).items()
        }

    def _never_written(self, brokers: Brokers, topics: Iterable[str]) -> frozenset[str]:
        return frozenset()

    def _oldest_ms(self, brokers: Brokers, topics: Iterable[str]) -> int | None:
        return self.oldest_ms


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    return Log(monkeypatch)


@pytest.mark.parametrize("ahead_ms", [-30 * DAY_MS, 0, 30 * DAY_MS])
def test_a_clock_of_ours_that_is_wrong_hides_no_verdict_on_a_record_that_is_there(
    log: Log, monkeypatch: pytest.MonkeyPatch, ahead_ms: int
) -> None:
    log.oldest_ms = NOW_MS - DAY_MS
    monkeypatch.setattr(committed.time, "time", lambda: (NOW_MS + ahead_ms) / 1000)
    committed.read_known(SETTINGS)
    assert set(log.asked) == {SETTINGS.topics.verdicts, SETTINGS.topics.receipts}
    assert all(since_ms < log.oldest_ms for since_ms in log.asked.values())


def test_where_nothing_is_there_what_was_is_remembered_for_as_long_as_it_would_be_kept() -> None:
    assert answers_since_ms(NOW_MS, 7 * DAY_MS, None) == NOW_MS - 8 * DAY_MS
    assert answers_since_ms(0, 7 * DAY_MS, 0) == 0


def test_updates_that_the_broker_has_lost_or_a_topic_that_was_made_again_end_the_start(log: Log) -> None:
    """New records in the places of those that were judged would never have a verdict."""
    for offset in range(8):
        log.write_verdict(offset)
    log.held = {0: Bounds(3, 8, 8)}
    assert committed.read_known(SETTINGS).starts[SETTINGS.topics.updates] == {0: 8}
    for held in ({0: Bounds(0, 7, 7)}, {0: Bounds(0, 0, 0)}):
        log.held = held
        with pytest.raises(RecordsLost, match=rf"topics advance {SETTINGS.topics.updates} 0 8"):
            committed.read_known(SETTINGS)


def test_what_was_judged_while_the_log_is_read_is_not_lost(log: Log) -> None:
    log.write_verdict(0)
    log.arriving = 1
    committed.read_known(SETTINGS)


def test_a_topic_that_there_is_not_is_told_as_such(log: Log) -> None:
    log.held = {}
    committed.read_known(SETTINGS)
    log.write_verdict(0)
    with pytest.raises(RecordsLost, match=rf"there is no topic {SETTINGS.topics.updates}, .*topics create"):
        committed.read_known(SETTINGS)
