"""Offsets that a broker has lost are given up."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient
from typer.testing import CliRunner

from deploy.broker.lost_records import advance, look
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
    arguments = ["advance", topic, "1", "2000", "--federation", str(file)]
    refused = CliRunner().invoke(app, arguments)
    assert refused.exit_code == 1
    assert f"Give up what {topic}/1 still holds as well, offsets 0 to 0?" in refused.output
    assert bounds(broker.brokers, topic)[1].written == 1
    told = CliRunner().invoke(app, [*arguments, "--yes"])
    assert told.output == f"offsets 0 to 1999 of {topic}/1 were given up; submit the job again\n"
    held = bounds(broker.brokers, topic)
    assert (held[1].first, held[1].written) == (2_000, 2_000)
    assert held[0].written == 0
    with pytest.raises(StackError, match="was written up to offset 2000: nothing is lost before 7"):
        look(broker.brokers, topic, 1, 7)
    with pytest.raises(StackError, match="begin a new federation"):
        look(broker.brokers, topic, 1, 1 << 62)
    with pytest.raises(StackError, match=f"{topic}/9"):
        look(broker.brokers, topic, 9, 1)


def test_what_was_filled_and_not_yet_given_up_is_when_it_is_said_again(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = f"advanced-{uuid.uuid4().hex[:8]}"
    create_topics(broker.brokers, [TopicSettings(name=topic, partitions=1, config={})])
    with monkeypatch.context() as patch:
        patch.setattr(AdminClient, "delete_records", refusing)
        with pytest.raises(StackError, match="timed out"):
            advance(broker.brokers, look(broker.brokers, topic, 0, 5))
    assert (bounds(broker.brokers, topic)[0].first, bounds(broker.brokers, topic)[0].written) == (0, 5)
    advance(broker.brokers, look(broker.brokers, topic, 0, 5))
    assert (bounds(broker.brokers, topic)[0].first, bounds(broker.brokers, topic)[0].written) == (5, 5)


def refusing(*_: Any, **__: Any) -> Any:
    raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "timed out"))
