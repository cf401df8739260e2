"""A producer asks once for a topic's number of partitions, and again when it may have changed."""

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from fluvial.identity.brokers import Brokers
from fluvial.kafka.librdkafka import producer as module
from fluvial.kafka.librdkafka.producer import LibrdkafkaProducer


class Client:
    """Counts the questions; the topic grows."""

    def __init__(self) -> None:
        self.num_asked = 0

    def list_topics(self, topic: str, timeout: float) -> Any:
        self.num_asked += 1
        partitions = dict.fromkeys(range(2 + self.num_asked))
        return SimpleNamespace(topics={topic: SimpleNamespace(error=None, partitions=partitions)})

    def poll(self, timeout: float) -> int:
        threading.Event().wait(timeout)
        return 0

    def flush(self, timeout: float) -> int:
        return 0

    def purge(self) -> None:
        pass


def test_the_number_of_partitions_is_asked_for_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    client, clock = Client(), SimpleNamespace(monotonic=lambda: now_s)
    now_s = 1000.0
    monkeypatch.setattr(module.clients, "producer", lambda *_: client)
    producer = LibrdkafkaProducer(Brokers(bootstrap_servers="127.0.0.1:9092"), "test", {})
    monkeypatch.setattr(module, "time", clock)
    try:
        assert [producer.num_partitions("chunks") for _ in range(3)] == [3, 3, 3]
        assert producer.num_partitions("others") == 4
        now_s += module._PARTITIONS_SECONDS
        assert producer.num_partitions("chunks") == 5
        assert client.num_asked == 3
    finally:
        producer.close()
