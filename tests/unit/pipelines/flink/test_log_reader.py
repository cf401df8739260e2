"""Where topics end, asked of an administrator's client that is scripted; the rest is in tests/engine."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest
from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec

from fluvial.identity.brokers import Brokers
from fluvial.kafka import TransportFailed, TransportUnavailable
from fluvial.wire.errors import TransportError
from pipelines.flink import log_reader
from pipelines.flink.log_reader import (
    LogRefused,
    LogUnreadable,
    all_bounds,
    bounds,
    ends,
    never_written,
    offsets_at,
    oldest_ms,
    read_to_end,
)
from pipelines.flink.offsets import Bounds

BROKERS = Brokers(bootstrap_servers="nowhere:1")
OLDEST_MS = 1_234


class Admin:
    """Topics by name, each a list of the ends of its partitions. In each the newest two records are not committed, and
    one more is written after each question. errors: what the next questions are answered with."""

    def __init__(self, topics: Mapping[str, list[int]], errors: list[int]) -> None:
        self.topics, self.errors = topics, errors
        self.num_written = 0

    def list_topics(self, timeout: float) -> Any:
        found = {name: SimpleNamespace(partitions=dict.fromkeys(range(len(own)))) for name, own in self.topics.items()}
        return SimpleNamespace(topics=found)

    def _offset(self, place: TopicPartition, spec: OffsetSpec, isolation_level: IsolationLevel) -> int:
        if spec is OffsetSpec.earliest():
            return 0
        end = self.topics[place.topic][place.partition]
        if isolation_level is IsolationLevel.READ_COMMITTED:
            end = max(0, end - 2)
        return end and end + self.num_written

    def _found(self, place: TopicPartition, spec: OffsetSpec, isolation_level: IsolationLevel) -> SimpleNamespace:
        if spec in (OffsetSpec.earliest(), OffsetSpec.latest()):
            return SimpleNamespace(offset=self._offset(place, spec, isolation_level), timestamp=-1)
        is_full = self.topics[place.topic][place.partition] > 0
        return SimpleNamespace(offset=0, timestamp=OLDEST_MS) if is_full else SimpleNamespace(offset=-1, timestamp=-1)

    def list_offsets(
        self,
        asked: Mapping[TopicPartition, OffsetSpec],
        isolation_level: IsolationLevel = IsolationLevel.READ_COMMITTED,
    ) -> dict[TopicPartition, Any]:
        assert asked, "librdkafka takes no empty question"
        error = self.errors.pop() if self.errors else None
        answers = {}
        for place in asked:
            answers[place] = Future[Any]()
            if error is None:
                answers[place].set_result(self._found(place, asked[place], isolation_level))
            else:
                answers[place].set_exception(KafkaException(KafkaError(error)))
        self.num_written += error is None
        return answers


@pytest.fixture
def admin(monkeypatch: pytest.MonkeyPatch) -> Admin:
    admin = Admin({"empty": [0, 0], "full": [0, 7]}, [])
    monkeypatch.setattr(log_reader.clients, "admin", lambda *_: admin)
    monkeypatch.setattr(log_reader, "_POLL_SECONDS", 0.0)
    return admin


def test_the_ends_of_the_topics_that_there_are(admin: Admin) -> None:
    assert ends(BROKERS, ["full", "none", "empty"]) == {"full": {0: 0, 1: 7}, "empty": {0: 0, 1: 0}}
    assert ends(BROKERS, ["none"]) == {}
    assert never_written(BROKERS, ["full", "none", "empty"]) == {"empty"}


def test_the_oldest_record_of_several_topics(admin: Admin) -> None:
    assert oldest_ms(BROKERS, ["full", "none", "empty"]) == OLDEST_MS
    assert oldest_ms(BROKERS, ["empty"]) is None
    assert oldest_ms(BROKERS, ["none"]) is None


def test_a_partition_whose_leader_is_being_chosen_is_asked_again(admin: Admin) -> None:
    admin.errors += [
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.OFFSET_NOT_AVAILABLE,
    ]
    assert ends(BROKERS, ["full"]) == {"full": {0: 0, 1: 7}}


def test_another_error_says_what_could_not_be_asked(admin: Admin) -> None:
    admin.errors += [KafkaError.TOPIC_AUTHORIZATION_FAILED]
    with pytest.raises(LogRefused, match="where its topics end"):
        ends(BROKERS, ["full"])
    admin.errors += [KafkaError._TRANSPORT]
    with pytest.raises(LogUnreadable, match="where its topics end") as caught:
        ends(BROKERS, ["full"])
    assert caught.value.retriable


@pytest.mark.parametrize("said", [TransportFailed("no right"), TransportUnavailable("away")])
def test_a_log_is_read_again_where_that_may_help(monkeypatch: pytest.MonkeyPatch, said: TransportError) -> None:
    def connect(*_: object, **__: object) -> NoReturn:
        raise said

    monkeypatch.setattr(log_reader.kafka, "connect", connect)
    for read in (lambda: list(read_to_end(BROKERS, "full")), lambda: offsets_at(BROKERS, "full", 0)):
        with pytest.raises(LogUnreadable, match=f"full: {said}") as caught:
            read()
        assert caught.value.retriable is said.retriable


def test_what_topics_hold_is_asked_over_one_connection(admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    connections: list[str] = []
    monkeypatch.setattr(log_reader.clients, "admin", lambda *_: connections.append("one more") or admin)
    held = all_bounds(BROKERS, ["full", "none", "empty"])
    assert held == {"full": {0: Bounds(0, 0, 0), 1: Bounds(0, 6, 9)}, "empty": {0: Bounds(0, 0, 0), 1: Bounds(0, 0, 0)}}
    assert len(connections) == 1


def test_an_end_is_never_behind_what_is_written_meanwhile(admin: Admin) -> None:
    held = bounds(BROKERS, "full")[1]
    assert held.end < held.written == 7 + admin.num_written - 1, "asked last, so that it holds what came in between"


def test_a_topic_that_there_is_not_holds_nothing_that_could_be_read(admin: Admin) -> None:
    with pytest.raises(LogRefused, match="there is no topic none"):
        bounds(BROKERS, "none")
