"""A topic that a client has not heard of: the broker is asked before the first assignment, or a second is lost."""

from __future__ import annotations

from collections import deque
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from fluvial.identity.brokers import Brokers
from fluvial.kafka.librdkafka import clients
from fluvial.kafka.librdkafka.errors import Troubles
from fluvial.kafka.librdkafka.fetch import LibrdkafkaFetcher
from fluvial.kafka.librdkafka.producer import LibrdkafkaProducer
from fluvial.kafka.librdkafka.reader import LibrdkafkaReader


class Consumer:
    """Holds one record at every offset, and remembers what it was asked in order."""

    def __init__(self, *, answers: bool = True) -> None:
        self.calls: list[tuple[str, str]] = []
        self._answers = answers
        self._records: deque[Any] = deque()

    def list_topics(self, topic: str, timeout: float) -> Any:
        self.calls.append(("asked", topic))
        if not self._answers:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))
        return SimpleNamespace(topics={topic: SimpleNamespace(error=None, partitions={0: None})})

    def assign(self, places: list[Any]) -> None:
        self.calls += [("assigned", place.topic) for place in places]
        self._records = deque(_Record(place.partition, place.offset) for place in places)

    def poll(self, timeout: float) -> Any:
        return self._records.popleft() if self._records else None

    def consume(self, count: int, timeout: float) -> list[Any]:
        return []

    def incremental_unassign(self, places: list[Any]) -> None:
        pass

    def unassign(self) -> None:
        pass


class _Record:
    def __init__(self, partition: int, offset: int) -> None:
        self._partition, self._offset = partition, offset

    def error(self) -> None:
        return None

    def partition(self) -> int:
        return self._partition

    def offset(self) -> int:
        return self._offset

    def value(self) -> bytes:
        return b"chunk"


def fetch(fetcher: LibrdkafkaFetcher, topic: str, offset: int) -> list[bytes]:
    found: list[bytes] = []
    fetcher.fetch(topic, {0: deque([offset])}, lambda _, value: found.append(value), 1.0)
    return found


def test_who_fetches_from_a_topic_first_asks_who_leads_it() -> None:
    consumer = Consumer()
    fetcher = LibrdkafkaFetcher(consumer, Troubles())
    assert [fetch(fetcher, topic, offset) for topic, offset in (("a", 1), ("a", 2), ("b", 1))] == [[b"chunk"]] * 3
    assert consumer.calls == [
        ("asked", "a"),
        ("assigned", "a"),
        ("assigned", "a"),
        ("asked", "b"),
        ("assigned", "b"),
    ]


def test_who_knows_the_bounds_asks_all_the_same() -> None:
    consumer = Consumer()
    LibrdkafkaReader(consumer, Troubles(), "a", {0: 3}, {0: 5})
    assert consumer.calls == [("asked", "a"), ("assigned", "a")]


@pytest.mark.parametrize("answers", [True, False])
def test_a_broker_that_does_not_answer_is_no_reason_not_to_begin(answers: bool) -> None:
    assert fetch(LibrdkafkaFetcher(Consumer(answers=answers), Troubles()), "a", 1) == [b"chunk"]


class Producer(Consumer):
    def produce(self, topic: str, *_: Any, **__: Any) -> None:
        self.calls.append(("produced", topic))

    def poll(self, timeout: float = 0.0) -> Any:
        return 0

    def flush(self, timeout: float) -> int:
        return 0

    def purge(self) -> None:
        pass


@pytest.mark.parametrize("answers", [True, False])
def test_who_sends_to_a_topic_first_asks_who_leads_it(answers: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else its first record waits for half a second, until librdkafka looks again whether it is connected."""
    client = Producer(answers=answers)
    monkeypatch.setattr(clients, "producer", lambda *_: client)
    producer = LibrdkafkaProducer(Brokers(bootstrap_servers="none:1"), "test", {})
    try:
        for topic in ("a", "a", "b"):
            producer.produce(topic, b"value", b"key", None)
    finally:
        producer.close()
    assert client.calls == [("asked", "a"), ("produced", "a"), ("produced", "a"), ("asked", "b"), ("produced", "b")]
