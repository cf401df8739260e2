"""Reading what the log holds of rounds: the right topics, from where they matter, and nothing that no stage wrote."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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

    def never_written(brokers: Brokers, topics: Iterable[str]) -> frozenset[str]:
        return frozenset(topic for topic in topics if not log.records[topic.removeprefix("f.")])

    monkeypatch.setattr(log_reader, "never_written", never_written)
    monkeypatch.setattr(log_reader, "offsets_at", lambda brokers, topic, timestamp_ms: {0: 0})
    log.__dict__["read"] = read
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
