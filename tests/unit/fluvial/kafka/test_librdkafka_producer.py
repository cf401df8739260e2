"""What a producer's own thread does, of a client that is scripted."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from fluvial.identity.brokers import Brokers
from fluvial.kafka.librdkafka import clients, producer


class GaveUp:
    def poll(self, timeout: float) -> int:
        raise KafkaException(KafkaError(KafkaError._FATAL, "gave up"))

    def purge(self) -> None:
        pass

    def flush(self, timeout: float) -> int:
        return 0


def test_a_client_that_gave_up_is_asked_again_soon_but_not_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    waited, has_waited = [], threading.Event()

    class Closing(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waited.append(timeout)
            self.set()
            has_waited.set()
            return True

    def made(*_: Any) -> GaveUp:
        return GaveUp()

    monkeypatch.setattr(clients, "producer", made)
    monkeypatch.setattr(producer, "threading", SimpleNamespace(Event=Closing, Thread=threading.Thread))
    sending = producer.LibrdkafkaProducer(Brokers(bootstrap_servers="localhost:1"), "test", {})
    assert has_waited.wait(10)
    sending.close()
    assert waited == [0.1]
