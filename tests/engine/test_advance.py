"""Offsets that a broker has lost are given up."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from confluent_kafka import Producer
from typer.testing import CliRunner

from deploy.broker.lost_records import advance
from deploy.broker.process import Broker
from deploy.broker.topics import create_topics
from deploy.commands.topics import app
from deploy.federation.keys import ServiceKeys
from deploy.machine.errors import StackError
from fluvial.wire.topics import TopicSettings
from pipelines.flink.log_reader import bounds


def test_what_is_written_next_lies_where_it_was_asked_for_and_nothing_lies_before(
    broker: Broker, tmp_path: Path
) -> None:
    topic = f"advanced-{uuid.uuid4().hex[:8]}"
    create_topics(broker.brokers, [TopicSettings(name=topic, partitions=2, config={})])
    producer = Producer(broker.brokers.librdkafka("writer"))
    producer.produce(topic, b"before", partition=1)
    assert producer.flush(20) == 0
    file = tmp_path / "federation.json"
    ServiceKeys.load_or_make(tmp_path / "keys").federation(broker.brokers, topic_prefix="x.", partitions=2).save(file)
    told = CliRunner().invoke(app, ["advance", topic, "1", "2000", "--federation", str(file)])
    assert told.output == f"1999 offsets of {topic}/1 were given up; submit the job again\n"
    held = bounds(broker.brokers, topic)
    assert (held[1].first, held[1].written) == (2_000, 2_000)
    assert held[0].written == 0
    with pytest.raises(StackError, match="was written up to offset 2000: nothing is lost before 7"):
        advance(broker.brokers, topic, 1, 7)
    with pytest.raises(StackError, match="begin a new federation"):
        advance(broker.brokers, topic, 1, 1 << 62)
    with pytest.raises(StackError, match=f"{topic}/9"):
        advance(broker.brokers, topic, 9, 1)
