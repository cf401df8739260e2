"""What partitions hold, asked while a topic is being made."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from fluvial.kafka.interface import Bounds
from fluvial.kafka.librdkafka.errors import Troubles
from fluvial.kafka.librdkafka.reader import bounds


class Consumer:
    """Of a topic with one partition, of which the broker says `errors` first."""

    def __init__(self, *errors: int) -> None:
        self.errors = list(errors)

    def list_topics(self, topic: str, timeout: float) -> Any:
        return SimpleNamespace(topics={topic: SimpleNamespace(error=None, partitions={0: None})})

    def get_watermark_offsets(self, place: Any, timeout: float) -> tuple[int, int]:
        if self.errors:
            raise KafkaException(KafkaError(self.errors.pop(0)))
        return 3, 7


def test_a_broker_that_does_not_lead_a_partition_yet_is_asked_again() -> None:
    consumer = Consumer(
        KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE, KafkaError.OFFSET_NOT_AVAILABLE
    )
    assert bounds(consumer, "updates", Troubles()) == {0: Bounds(3, 7)}


def test_what_asking_again_does_not_cure_is_told() -> None:
    with pytest.raises(KafkaException):
        bounds(Consumer(KafkaError.TOPIC_AUTHORIZATION_FAILED), "updates", Troubles())
