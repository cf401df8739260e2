"""How far back validation reads when it starts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from fluvial.identity.brokers import Brokers
from pipelines.flink import log_reader
from pipelines.flink.frames import SourceRecord
from pipelines.flink.offsets import Bounds, answers_since_ms
from pipelines.flink.stage_mac import StageMac
from pipelines.validation import committed
from tests.unit.pipelines.validation.stage import SETTINGS

DAY_MS = 24 * 3_600_000
NOW_MS = 1_800_000_000_000


@pytest.mark.parametrize("ahead_ms", [-30 * DAY_MS, 0, 30 * DAY_MS])
def test_a_clock_of_ours_that_is_wrong_hides_no_verdict_on_a_record_that_is_there(
    monkeypatch: pytest.MonkeyPatch, ahead_ms: int
) -> None:
    oldest_ms = NOW_MS - DAY_MS
    asked: dict[str, int] = {}

    def read_to_end(brokers: Brokers, topic: str, **_: Any) -> Iterator[SourceRecord]:
        return iter(())

    def offsets_at(brokers: Brokers, topic: str, timestamp_ms: int) -> dict[int, int]:
        asked[topic] = timestamp_ms
        return {0: 0}

    def all_bounds(brokers: Brokers, topics: Iterable[str]) -> dict[str, dict[int, Bounds]]:
        return {topic: {0: Bounds(0, 0, 0)} for topic in topics}

    monkeypatch.setattr(StageMac, "load", lambda folder: StageMac(bytes(32)))
    monkeypatch.setattr(log_reader, "read_to_end", read_to_end)
    monkeypatch.setattr(log_reader, "offsets_at", offsets_at)
    monkeypatch.setattr(log_reader, "all_bounds", all_bounds)
    monkeypatch.setattr(log_reader, "never_written", lambda brokers, topics: frozenset())
    monkeypatch.setattr(log_reader, "oldest_ms", lambda brokers, topics: oldest_ms)
    monkeypatch.setattr(committed.time, "time", lambda: (NOW_MS + ahead_ms) / 1000)
    committed.read_known(SETTINGS)
    assert set(asked) == {SETTINGS.topics.verdicts, SETTINGS.topics.receipts}
    assert all(since_ms < oldest_ms for since_ms in asked.values())


def test_where_nothing_is_there_what_was_is_remembered_for_as_long_as_it_would_be_kept() -> None:
    assert answers_since_ms(NOW_MS, 7 * DAY_MS, None) == NOW_MS - 8 * DAY_MS
    assert answers_since_ms(0, 7 * DAY_MS, 0) == 0
