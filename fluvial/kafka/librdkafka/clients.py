"""The clients of librdkafka that this project makes: all are made here, and what a kind of client needs is said once.

`fluvial.kafka.connect` is what nearly everybody wants. The clients themselves are for what it does not offer:
transactions, headers, single places at will, administration. Each raises OSError when a file with a secret cannot be
read.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from confluent_kafka import Consumer, KafkaException, Producer

from fluvial.identity.brokers import Brokers

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

CHUNK_FETCH_BYTES = (4 << 20) + (64 << 10)
"""Four chunks of a MiB and what they come in: one that is cut off was sent in vain."""

_MEETING_SECONDS = 2.0


def producer(brokers: Brokers, client_id: str, settings: Mapping[str, Any] | None = None) -> Producer:
    """client_id: name that the broker's logs show."""
    return Producer({**brokers.librdkafka(client_id), **(settings or {})})


def transactional_producer(
    brokers: Brokers,
    client_id: str,
    transactional_id: str,
    *,
    timeout_ms: int,
    delivery_ms: int,
    settings: Mapping[str, Any] | None = None,
) -> Producer:
    """timeout_ms: after which the broker aborts what is open. delivery_ms: after which a record counts as lost."""
    transactions = {
        "transactional.id": transactional_id,
        "transaction.timeout.ms": timeout_ms,
        "delivery.timeout.ms": min(delivery_ms, timeout_ms),
    }
    return producer(brokers, client_id, {**transactions, **(settings or {})})


def consumer(brokers: Brokers, client_id: str, settings: Mapping[str, Any] | None = None) -> Consumer:
    """One that is told its places, and commits none. It says where a partition ends, and fetches chunks whole."""
    return Consumer(
        {
            **brokers.librdkafka(client_id),
            "group.id": client_id,  # librdkafka asks for one; with assign() and no commits it stays unused
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "enable.partition.eof": True,
            "fetch.message.max.bytes": CHUNK_FETCH_BYTES,
            "fetch.queue.backoff.ms": 1,  # a full queue otherwise postpones the next fetch by a second
            **(settings or {}),
        }
    )


def meet(client: Consumer | Producer, topic: str) -> None:
    """Ask who leads a topic's partitions, before the first use of it. Of a topic that a client has not heard of,
    librdkafka asks by itself when its clock strikes, once a second; and for who coordinates transactions it asks whom
    it is connected to, where that is nobody yet half a second later. Where nobody answers nothing is lost: it still
    will."""
    with suppress(KafkaException):
        client.list_topics(topic, _MEETING_SECONDS)


def admin(brokers: Brokers, client_id: str) -> AdminClient:
    """Silent: its calls say what goes wrong."""
    from confluent_kafka.admin import AdminClient  # late: who reads and writes records needs none

    return AdminClient({**brokers.librdkafka(client_id), "log_level": 0, "error_cb": lambda _: None})
