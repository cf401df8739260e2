"""Records pass through the Java adapters and Python, exactly once, although the job fails in between."""

from __future__ import annotations

import pytest
from confluent_kafka import Consumer, Message, Producer

from pipelines.config import Settings
from pipelines.flink.environment import stream_environment
from pipelines.flink.graph import BYTES, Graph
from tests.engine.copying import CopyWithOneFailure

pytestmark = [pytest.mark.engine, pytest.mark.system, pytest.mark.timeout(180)]

RECORDS = 80


def publish(settings: Settings) -> dict[tuple[int, int], tuple[bytes | None, bytes | None, int]]:
    """Records with and without key; every tenth a tombstone. Returns (key, value, broker time) by position."""
    published = {}

    def delivered(error: object, message: Message) -> None:
        assert error is None
        place = message.partition(), message.offset()
        published[place] = message.key(), message.value(), message.timestamp()[1]

    producer = Producer({"bootstrap.servers": settings.bootstrap_servers, "partitioner": "murmur2_random"})
    for number in range(RECORDS):
        key = f"k{number}".encode() if number % 3 else None
        value = bytes([number]) * (number + 1) if number % 10 else None
        producer.produce(settings.topics.updates, value, key, partition=number % 2, on_delivery=delivered)
    assert producer.flush(20) == 0
    return published


def read(settings: Settings, topics: list[str], count: int) -> list[Message]:
    """At least `count` committed records, and whatever follows within two seconds."""
    consumer = Consumer(
        {
            "bootstrap.servers": settings.bootstrap_servers,
            "group.id": "reader",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
        }
    )
    consumer.subscribe(topics)
    messages: list[Message] = []
    try:
        while (message := consumer.poll(60.0 if len(messages) < count else 2.0)) is not None:
            assert message.error() is None
            messages.append(message)
    finally:
        consumer.close()
    return messages


def test_records_pass_exactly_once_through_a_failure(settings: Settings) -> None:
    published = publish(settings)
    settings = settings.model_copy(update={"restart_attempts": 3})
    environment = stream_environment(settings, "copy")
    graph = Graph(environment, settings, "copy", ["validation"])
    topics = settings.topics
    copied = graph.source("updates").process(CopyWithOneFailure(topics.verdicts, topics.quarantine), BYTES)
    graph.emit(copied)
    graph.finish()
    client = environment.execute_async("copy")
    try:
        messages = read(settings, [topics.verdicts, topics.quarantine], RECORDS)
    finally:
        client.cancel().result()

    copies = {}
    for message in messages:
        headers = {name: int(value) for name, value in message.headers()}
        place = headers["partition"], headers["offset"]
        assert place not in copies, "a record came twice"
        assert message.topic() == (topics.verdicts if message.value() else topics.quarantine)
        copies[place] = message.key(), message.value(), headers["timestamp_ms"]
    assert copies == published
