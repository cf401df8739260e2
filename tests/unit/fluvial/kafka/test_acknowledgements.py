"""A record that is sent again after a timeout may be acknowledged without its place."""

from __future__ import annotations

from concurrent.futures import Future
from types import SimpleNamespace

import pytest

from fluvial.identity.brokers import Brokers
from fluvial.kafka.backend import acknowledge
from fluvial.kafka.errors import TransportUnavailable
from fluvial.kafka.interface import Position
from fluvial.kafka.librdkafka import clients
from fluvial.kafka.librdkafka.producer import LibrdkafkaProducer


@pytest.mark.parametrize("offset", [None, -1, -1001])
def test_a_record_without_a_place_is_to_be_sent_again(offset: int | None) -> None:
    future: Future[Position] = Future()
    acknowledge(future, "updates", 2, offset, 5)
    with pytest.raises(TransportUnavailable, match=r"updates: .* send it again"):
        future.result(0)


def test_a_record_with_a_place_is_told_it() -> None:
    future: Future[Position] = Future()
    acknowledge(future, "updates", 2, 0, 5)
    assert future.result(0) == Position(partition=2, offset=0, timestamp_ms=5)


def test_what_librdkafka_knows_no_place_of_is_no_position(monkeypatch: pytest.MonkeyPatch) -> None:
    """An upload that took it for one would sign an envelope that names no chunk."""
    message = SimpleNamespace(timestamp=lambda: (1, 5), partition=lambda: 2, offset=lambda: None)
    client = SimpleNamespace(
        produce=lambda *_, on_delivery, **__: on_delivery(None, message),
        poll=lambda _: 0,
        flush=lambda _: 0,
        purge=lambda: None,
    )
    monkeypatch.setattr(clients, "producer", lambda *_: client)
    monkeypatch.setattr(clients, "meet", lambda *_: None)
    producer = LibrdkafkaProducer(Brokers(bootstrap_servers="127.0.0.1:9"), "test", {})
    try:
        with pytest.raises(TransportUnavailable):
            producer.produce("updates", b"value", b"key", 2).result(0)
    finally:
        producer.close()
