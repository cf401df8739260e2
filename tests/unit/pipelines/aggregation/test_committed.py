"""Reading what the log holds of rounds: the right topics, from where they matter, and nothing that no stage wrote."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fluvial.identity.brokers import Brokers
from fluvial.wire.framing import encode
from fluvial.wire.records import Outcome
from pipelines.aggregation import committed
from pipelines.config import Settings
from pipelines.flink import log_reader
from pipelines.flink.frames import SourceRecord
from pipelines.flink.stage_mac import StageMac, make_secret
from tests.unit.pipelines.aggregation.builders import a_round, an_update
from tests.unit.pipelines.aggregation.committed_log import (
    AGGREGATOR,
    OPERATOR,
    REGISTRAR,
    CommittedLog,
    a_receipt,
    a_verdict,
)
from tests.unit.pipelines.aggregation.rounds.test_task_life import a_task

UPDATES = [an_update(number) for number in range(4)]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    make_secret(tmp_path)
    return Settings(
        brokers=Brokers(bootstrap_servers="nowhere:1"),
        topic_prefix="f.",
        operator_key=OPERATOR.public_key.hex(),
        registrar_key=REGISTRAR.public_key.hex(),
        aggregator_key=AGGREGATOR.public_key.hex(),
        log_origin="example.org/test",
        keys_dir=tmp_path,
        checkpoint_dir=tmp_path,
        repository_root=tmp_path,
    )


@pytest.fixture
def log(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> CommittedLog:
    """Topics by their full names, read as `log_reader` reads them; the order of reading is noted in `read`."""
    log = CommittedLog()
    read: list[str] = []

    def read_to_end(brokers: Brokers, topic: str, **how: Any) -> Iterator[SourceRecord]:
        assert brokers == settings.brokers
        read.append(topic)
        start = (how.get("start") or {}).get(0, 0)
        return (record for record in log.records[topic.removeprefix("f.")] if record.offset >= start)

    monkeypatch.setattr(log_reader, "read_to_end", read_to_end)

    def ends(brokers: Brokers, topics: Iterable[str]) -> dict[str, dict[int, int]]:
        return {topic: {0: len(log.records[topic.removeprefix("f.")])} for topic in topics}

    asked: dict[str, int] = {}

    def offsets_at(brokers: Brokers, topic: str, timestamp_ms: int) -> dict[int, int]:
        asked[topic] = timestamp_ms
        return {0: 0}

    def oldest_ms(brokers: Brokers, topics: Iterable[str]) -> int | None:
        records = [record for topic in topics for record in log.records[topic.removeprefix("f.")]]
        return min((record.timestamp_ms for record in records), default=None)

    monkeypatch.setattr(log_reader, "ends", ends)
    monkeypatch.setattr(log_reader, "offsets_at", offsets_at)
    monkeypatch.setattr(log_reader, "oldest_ms", oldest_ms)
    log.__dict__.update(read=read, asked=asked)
    return log


def write_proven(log: CommittedLog, settings: Settings, topic: str, record: Any, *, proven: bool = True) -> None:
    value = encode(record)
    mac = StageMac.load(settings.keys_dir)
    headers = (mac.header(f"f.{topic}", b"k", value),) if proven else ()
    found = log.records[topic]
    found.append(SourceRecord(0, len(found), 1 << 62, b"k", value, headers))


def test_rounds_verdicts_and_receipts_are_read(log: CommittedLog, settings: Settings) -> None:
    log.register(a_task())
    log.announce(a_round(quorum=1, target=2))
    for update in UPDATES[:3]:
        log.write("updates", "k", b"update")
        write_proven(log, settings, "verdicts", a_verdict(update))
    write_proven(log, settings, "verdicts", a_verdict(UPDATES[3]), proven=False)
    write_proven(log, settings, "receipts", a_receipt(UPDATES[0], Outcome.LATE))
    write_proven(log, settings, "receipts", a_receipt(UPDATES[1], Outcome.LATE), proven=False)
    log.write("receipts", "k", b"junk")
    log.write("models", "k", b"junk")
    recovery = committed.read_recovery(settings)
    assert recovery.unanswered("demo") == {UPDATES[1].record_sha256, UPDATES[2].record_sha256}
    assert recovery.is_answered(UPDATES[0])
    found = recovery.task("demo")
    assert found is not None
    assert found.state.open
    topics = ["registry", "rounds", "models", "receipts", "verdicts"]
    assert log.__dict__["read"] == [f"f.{topic}" for topic in topics]


def test_topics_to_which_nobody_has_written_are_not_read(log: CommittedLog, settings: Settings) -> None:
    recovery = committed.read_recovery(settings)
    assert log.__dict__["read"] == []
    assert recovery.task("demo") is None


def test_where_no_round_is_open_neither_models_nor_verdicts_are_read(log: CommittedLog, settings: Settings) -> None:
    for topic in ("registry", "rounds", "models", "receipts", "verdicts"):
        log.write(topic, "k", b"junk")
    recovery = committed.read_recovery(settings)
    assert log.__dict__["read"] == ["f.registry", "f.rounds", "f.receipts"]
    assert recovery.task("demo") is None
    assert recovery.unanswered("demo") == set()


YEAR_MS = 365 * 24 * 3_600_000


@pytest.mark.parametrize("ahead_ms", [-YEAR_MS, 0, YEAR_MS])
def test_what_is_answered_hangs_on_no_clock_of_ours(
    log: CommittedLog, settings: Settings, monkeypatch: pytest.MonkeyPatch, ahead_ms: int
) -> None:
    """Where it did, answered updates were taken a second time: with a clock that was late those of the last minutes,
    with one that was days ahead all."""
    log.write("updates", "k", b"the oldest that is there")
    broker_ms = log.now_ms
    monkeypatch.setattr(committed.time, "time", lambda: (broker_ms + ahead_ms) / 1000)
    answered = [replace(update, source_timestamp_ms=broker_ms + 10 * YEAR_MS) for update in UPDATES]
    for update in answered:
        log.write("updates", "k", b"update")
        write_proven(log, settings, "receipts", a_receipt(update, Outcome.INCLUDED))
    recovery = committed.read_recovery(settings)
    assert log.__dict__["asked"]["f.receipts"] < broker_ms
    assert all(map(recovery.is_answered, answered))


def test_what_came_after_the_reading_is_not_looked_up(log: CommittedLog, settings: Settings) -> None:
    for _ in UPDATES:
        log.write("updates", "k", b"update")
    write_proven(log, settings, "receipts", a_receipt(UPDATES[0], Outcome.INCLUDED))
    recovery = committed.read_recovery(settings)
    assert recovery.is_answered(UPDATES[0])
    assert not recovery.is_answered(replace(UPDATES[0], source_offset=len(UPDATES)))


def test_the_subtasks_of_a_submission_read_once(
    log: CommittedLog, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = committed.acquire(settings)
    assert committed.acquire(settings) is first
    other = settings.model_copy(update={"submission": "another"})
    assert committed.acquire(other) is not first
    for each in (settings, settings, other):
        committed.release(each)
    assert committed.acquire(settings) is not first
    committed.release(settings)
