"""The log reader gives what is committed, to the end as it is, and nothing else; and says when it cannot."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import closing

import pytest
from confluent_kafka import Producer
from kafka import KafkaProducer

from deploy.broker.process import Broker
from deploy.broker.topics import create_topics
from fluvial.kafka import Transport, connection, read_all
from fluvial.wire.framing import encode
from fluvial.wire.records import AuditEvent
from fluvial.wire.topics import TopicSettings
from pipelines.flink.log_reader import LogUnreadable, bounds, decoded, ends, never_written, oldest_ms, read_to_end

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

PARTITIONS = 3


@pytest.fixture
def topic(broker: Broker) -> str:
    name = f"read-{uuid.uuid4().hex[:8]}"
    create_topics(broker.brokers, [TopicSettings(name=name, partitions=PARTITIONS, config={})])
    return name


@pytest.fixture
def transactional(broker: Broker) -> Producer:
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "transactional.id": uuid.uuid4().hex})
    producer.init_transactions(20)
    return producer


def produce(producer: Producer, topic: str, values: list[bytes], partition: int = 0) -> None:
    for value in values:
        producer.produce(topic, value, b"key", partition, headers=[("number", value)])
    assert producer.flush(20) == 0


def values_of(broker: Broker, topic: str, **wish: object) -> list[bytes]:
    return [record.value for record in read_to_end(broker.brokers, topic, **wish)]  # type: ignore[arg-type]


def numbers(start: int, stop: int) -> list[bytes]:
    return [b"%d" % number for number in range(start, stop)]


def test_all_partitions_are_read_in_order_with_their_headers(broker: Broker, topic: str) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
    for partition in (0, 2):
        produce(producer, topic, numbers(0, 2_500), partition)
    producer.produce(topic, None, b"gone", 2)
    assert producer.flush(20) == 0
    records = list(read_to_end(broker.brokers, topic))
    for partition in (0, 2):
        found = [record for record in records if record.partition == partition and record.key == b"key"]
        assert [record.value for record in found] == numbers(0, 2_500)
        assert [record.offset for record in found] == list(range(2_500))
        assert all(record.headers == (("number", record.value),) for record in found)
        assert abs(found[0].timestamp_ms / 1000 - time.time()) < 120
    tombstone = next(record for record in records if record.key == b"gone")
    assert (tombstone.value, tombstone.headers) == (b"", ())
    assert len(records) == 5_001


class _NoName(str):
    """The name of a header, which a client may send as any bytes."""

    def encode(self, *_: object) -> bytes:  # type: ignore[override]
        return b"\xff\xfe"


@pytest.mark.parametrize("library", [connection.librdkafka, connection.kafka_python])
def test_a_header_whose_name_is_no_text_hides_nothing_that_follows(
    broker: Broker, topic: str, library: Callable[..., Transport]
) -> None:
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap_servers)
    values = numbers(0, 102)  # so many that the interpreter has taken to a shorter way of calling
    for value, name in zip(values, ["plain", *[_NoName("x")] * 100, "plain"], strict=True):
        producer.send(topic, value, b"key", [(name, value)], partition=1).get(20)
    producer.close()
    assert values_of(broker, topic) == values
    with closing(library(broker.brokers, "reader")) as transport:
        assert [message.value for message in read_all(transport, topic, 20)] == values


def test_the_oldest_record_of_a_topic_tells_its_time(broker: Broker, topic: str) -> None:
    assert oldest_ms(broker.brokers, [topic]) is None
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap_servers)
    times = [producer.send(topic, b"value", partition=number).get(20).timestamp for number in (1, 0, 1)]
    producer.close()
    assert oldest_ms(broker.brokers, [topic, "no-such-topic"]) == times[0]


def test_an_empty_topic_has_no_records(broker: Broker, topic: str) -> None:
    assert never_written(broker.brokers, [topic]) == {topic}
    assert values_of(broker, topic) == []


def test_a_start_and_a_tail_bound_what_is_read(broker: Broker, topic: str) -> None:
    produce(Producer({"bootstrap.servers": broker.bootstrap_servers}), topic, numbers(0, 100))
    assert values_of(broker, topic, start={0: 90}) == numbers(90, 100)
    assert values_of(broker, topic, tail=3) == numbers(97, 100)
    assert values_of(broker, topic, start={0: 100}) == []


def test_what_was_aborted_or_is_open_is_not_read(broker: Broker, topic: str, transactional: Producer) -> None:
    """Log:  0-4 committed | 5-9 aborted | 10-14 committed | 15-19 open, and behind it what nobody can read yet"""
    for start, committed in ((0, True), (5, False), (10, True)):
        transactional.begin_transaction()
        produce(transactional, topic, numbers(start, start + 5))
        if committed:
            transactional.commit_transaction(20)
        else:
            transactional.abort_transaction(20)
    transactional.begin_transaction()
    produce(transactional, topic, numbers(15, 20))
    produce(Producer({"bootstrap.servers": broker.bootstrap_servers}), topic, [b"behind"])
    assert values_of(broker, topic) == numbers(0, 5) + numbers(10, 15)
    held = bounds(broker.brokers, topic)[0]
    assert held.end < held.written
    began = time.monotonic()
    assert values_of(broker, topic, settle_seconds=1.0) == numbers(0, 5) + numbers(10, 15)
    assert time.monotonic() - began >= 1.0

    commit = threading.Timer(0.5, transactional.commit_transaction, (20,))
    commit.start()
    assert values_of(broker, topic, settle_seconds=20.0) == numbers(0, 5) + numbers(10, 20) + [b"behind"]
    commit.join()
    held = bounds(broker.brokers, topic)[0]
    assert held.end == held.written


def test_a_transaction_behind_the_ends_that_were_is_not_waited_for(
    broker: Broker, topic: str, transactional: Producer
) -> None:
    """Log:  0-4 of an earlier job, open | ends | 5-9 of the job that reads, open until it has read."""
    transactional.begin_transaction()
    produce(transactional, topic, numbers(0, 5))
    former = ends(broker.brokers, [topic, "no-such-topic"])
    assert former == {topic: {0: 5, 1: 0, 2: 0}}
    assert never_written(broker.brokers, [topic, "no-such-topic"]) == frozenset()
    own = Producer({"bootstrap.servers": broker.bootstrap_servers, "transactional.id": uuid.uuid4().hex})
    own.init_transactions(20)
    own.begin_transaction()
    produce(own, topic, numbers(5, 10))
    began = time.monotonic()
    assert values_of(broker, topic, settle_seconds=1.0, former_ends=former[topic]) == []
    assert time.monotonic() - began >= 1.0, "what the earlier job left open is waited for"
    transactional.commit_transaction(20)
    began = time.monotonic()
    assert values_of(broker, topic, settle_seconds=60.0, former_ends=former[topic]) == numbers(0, 5)
    assert time.monotonic() - began < 60.0, "its own is not"
    own.abort_transaction(20)


def test_an_end_of_control_records_is_reached(broker: Broker, topic: str, transactional: Producer) -> None:
    transactional.begin_transaction()
    produce(transactional, topic, numbers(0, 5))
    transactional.abort_transaction(20)
    assert values_of(broker, topic) == []
    assert values_of(broker, topic, tail=1) == []


def test_what_is_written_meanwhile_is_not_waited_for(broker: Broker, topic: str) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
    produce(producer, topic, numbers(0, 10))
    reading = read_to_end(broker.brokers, topic)
    first = next(reading).value
    produce(producer, topic, numbers(10, 20))
    assert [first, *(record.value for record in reading)] == numbers(0, 10)


def test_a_topic_that_does_not_exist_is_an_error(broker: Broker) -> None:
    with pytest.raises(LogUnreadable, match="no-such-topic"):
        values_of(broker, "no-such-topic")


def test_junk_is_skipped_counted_and_told_once(broker: Broker, topic: str, caplog: pytest.LogCaptureFixture) -> None:
    event = AuditEvent(id="e", source="/s", type="t", subject="", time_ms=1, data=b"")
    values = [b"junk", encode(event), b"", encode(event)]
    produce(Producer({"bootstrap.servers": broker.bootstrap_servers}), topic, values)
    with caplog.at_level(logging.WARNING):
        found = list(decoded(read_to_end(broker.brokers, topic), AuditEvent, topic))
    assert [(record.offset, content) for record, content in found] == [(1, event), (3, event)]
    assert len(caplog.records) == 1
    assert f"2 records of {topic} are no AuditEvent" in caplog.text
    assert f"{topic}/0@0" in caplog.text
