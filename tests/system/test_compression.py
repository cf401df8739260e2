"""No topic keeps a compressed record: what a reader could not inflate, or not in its memory, never lies in the log."""

from __future__ import annotations

import uuid

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from deploy.broker.process import Broker
from deploy.broker.topics import admin_client, create_topics
from fluvial.wire.topics import Topics, TopicSettings

pytestmark = pytest.mark.system

CODECS = ("gzip", "snappy", "lz4", "zstd")
BOMB_BYTES = 64 << 20


@pytest.fixture(scope="module")
def topics(broker: Broker) -> Topics:
    found = Topics(f"test-{uuid.uuid4().hex[:8]}.")
    create_topics(broker.brokers, found.all_settings(2))
    return found


def send(broker: Broker, topic: str, value: bytes, codec: str) -> KafkaError | None:
    """What the broker says of a record in a compressed batch; None when it took it."""
    outcome: list[KafkaError | None] = []

    def delivered(error: KafkaError | None, _: Message) -> None:
        outcome.append(error)

    producer = Producer({**broker.brokers.librdkafka(), "compression.type": codec, "message.max.bytes": 512 << 20})
    producer.produce(topic, value, partition=0, on_delivery=delivered)
    assert producer.flush(60) == 0
    return outcome[0]


@pytest.mark.parametrize("codec", CODECS)
def test_a_small_compressed_record_is_kept_plain(broker: Broker, topics: Topics, codec: str) -> None:
    value = codec.encode() * 5_000
    assert send(broker, topics.updates, value, codec) is None
    logs = list((broker.directory / "log").glob(f"{topics.updates}-0/*.log"))
    assert any(value in log.read_bytes() for log in logs)


@pytest.mark.parametrize("codec", CODECS)
def test_a_bomb_is_refused_and_the_log_reads_on(broker: Broker, topics: Topics, codec: str) -> None:
    for topic in (topics.updates, topics.update_blobs):
        error = send(broker, topic, bytes(BOMB_BYTES), codec)
        assert error is not None
        assert error.code() == KafkaError.MSG_SIZE_TOO_LARGE
        last = f"after the bomb of {codec}".encode()
        assert send(broker, topic, last, "none") is None
        assert values(broker, topic)[-1] == last


def test_topics_of_an_earlier_version_get_the_setting(broker: Broker) -> None:
    name = f"old-{uuid.uuid4().hex[:8]}"
    create_topics(broker.brokers, [TopicSettings(name=name, partitions=1, config={"retention.ms": "5000"})])
    new = TopicSettings(name=name, partitions=1, config={"compression.type": "uncompressed"})
    create_topics(broker.brokers, [new])
    assert send(broker, name, b"plain " * 100, "zstd") is None
    logs = list((broker.directory / "log").glob(f"{name}-0/*.log"))
    assert any(b"plain " * 100 in log.read_bytes() for log in logs)


def test_nobody_keeps_readers_waiting_for_long(broker: Broker) -> None:
    producer = Producer(
        {
            **broker.brokers.librdkafka(),
            "transactional.id": "mallory",
            "transaction.timeout.ms": 900_000,
        }
    )
    with pytest.raises(KafkaException, match=r"INVALID_TRANSACTION_TIMEOUT|transaction timeout"):
        producer.init_transactions(20)


def values(broker: Broker, topic: str) -> list[bytes]:
    """Everything in partition 0 of the topic."""
    admin = admin_client(broker.brokers)
    assert topic in admin.list_topics(timeout=10).topics
    consumer = Consumer({**broker.brokers.librdkafka(), "group.id": "test", "enable.partition.eof": True})
    consumer.assign([TopicPartition(topic, 0, 0)])
    found = []
    try:
        while (message := consumer.poll(20)) is not None and message.error() is None:
            found.append(message.value())
    finally:
        consumer.close()
    return found
