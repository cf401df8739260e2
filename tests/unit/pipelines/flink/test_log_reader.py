"""Where topics end, asked of an administrator's client that is scripted; the rest is in tests/engine."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from fluvial.identity.brokers import Brokers
from pipelines.flink import log_reader
from pipelines.flink.log_reader import LogUnreadable, ends, never_written

BROKERS = Brokers(bootstrap_servers="nowhere:1")


class Admin:
    """Topics by name, each a list of the ends of its partitions. errors: what the next questions are answered with."""

    def __init__(self, topics: Mapping[str, list[int]], errors: list[int]) -> None:
        self.topics, self.errors = topics, errors

    def list_topics(self, timeout: float) -> Any:
        found = {name: SimpleNamespace(partitions=dict.fromkeys(range(len(own)))) for name, own in self.topics.items()}
        return SimpleNamespace(topics=found)

    def list_offsets(self, asked: Mapping[TopicPartition, Any], isolation_level: Any) -> dict[TopicPartition, Any]:
        assert asked, "librdkafka takes no empty question"
        error = self.errors.pop() if self.errors else None
        answers = {}
        for place in asked:
            answers[place] = Future[Any]()
            if error is None:
                answers[place].set_result(SimpleNamespace(offset=self.topics[place.topic][place.partition]))
            else:
                answers[place].set_exception(KafkaException(KafkaError(error)))
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


def test_a_partition_whose_leader_is_being_chosen_is_asked_again(admin: Admin) -> None:
    admin.errors += [KafkaError.LEADER_NOT_AVAILABLE, KafkaError.NOT_LEADER_FOR_PARTITION]
    assert ends(BROKERS, ["full"]) == {"full": {0: 0, 1: 7}}


def test_another_error_says_what_could_not_be_asked(admin: Admin) -> None:
    admin.errors += [KafkaError.TOPIC_AUTHORIZATION_FAILED]
    with pytest.raises(LogUnreadable, match="where its topics end"):
        ends(BROKERS, ["full"])
