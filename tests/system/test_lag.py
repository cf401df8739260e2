"""How far a group of readers is behind is told in records, whatever takes offsets besides."""

from __future__ import annotations

import uuid
from contextlib import closing

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from deploy.broker import lag
from deploy.broker.lag import GroupLag, group_lags
from deploy.broker.process import Broker
from deploy.broker.topics import admin_client, create_topics
from fluvial.wire.topics import TopicSettings

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]


def test_what_nobody_is_handed_is_no_record(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    prefix = f"lag-{uuid.uuid4().hex[:8]}."
    topic, group, other = f"{prefix}events", f"{prefix}job", f"{prefix}rounds"
    create_topics(broker.brokers, [TopicSettings(name=name, partitions=2, config={}) for name in (topic, other)])
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "transactional.id": group})
    producer.init_transactions(20)
    for finish in (producer.commit_transaction, producer.abort_transaction, producer.commit_transaction):
        producer.begin_transaction()
        for partition in (0, 0, 1):
            producer.produce(topic, b"an event", partition=partition)
        producer.flush(20)
        finish(20)

    def behind(*read: TopicPartition) -> list[GroupLag]:
        consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": group})
        with closing(consumer):
            consumer.commit(offsets=[*read], asynchronous=False)
        return group_lags(broker.brokers, admin_client(broker.brokers), prefix)

    # Partition 0: two records and a marker, thrice; partition 1: one record and a marker, thrice.
    assert behind(TopicPartition(topic, 0, 0), TopicPartition(topic, 1, 0), TopicPartition(other, 0, 0)) == [
        GroupLag(group=group, topic=topic, lag=6),
        GroupLag(group=group, topic=other, lag=0),
    ]
    assert behind(TopicPartition(topic, 0, 7), TopicPartition(topic, 1, 5))[0].lag == 1
    assert behind(TopicPartition(topic, 0, 8))[0].lag == 0
    monkeypatch.setattr(lag, "_COUNTED", 3)
    assert behind(TopicPartition(topic, 0, 1))[0].lag == 8  # offsets: a backlog is not read
