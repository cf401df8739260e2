"""Where reading to the end of a partition ends, of a consumer that is scripted; the rest is in tests/system."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest
from confluent_kafka import KafkaError, TopicPartition

from fluvial.kafka.librdkafka.errors import Troubles
from fluvial.kafka.librdkafka.reader import LibrdkafkaReader


class Told:
    """A record at this offset, or that the partition ends there."""

    def __init__(self, offset: int, *, is_end: bool = False) -> None:
        self._offset, self._is_end = offset, is_end

    def error(self) -> Any:
        return KafkaError(KafkaError._PARTITION_EOF) if self._is_end else None

    def offset(self) -> int:
        return self._offset

    def partition(self) -> int:
        return 0

    def topic(self) -> str:
        return "t"

    def timestamp(self) -> tuple[int, int]:
        return 1, 1

    def key(self) -> bytes:
        return b"k"

    def value(self) -> bytes:
        return b"v"

    def headers(self) -> None:
        return None


class Consumer:
    def __init__(self, *told: Told) -> None:
        self.told, self.next = deque(told), 0

    def list_topics(self, topic: str, timeout: float) -> None:
        pass

    def assign(self, places: Any) -> None:
        pass

    def incremental_unassign(self, places: Any) -> None:
        pass

    def poll(self, timeout: float) -> Told | None:
        if not self.told:
            return None
        told = self.told.popleft()
        self.next = max(self.next, told.offset() + (told.error() is None))
        return told

    def position(self, places: list[TopicPartition]) -> list[TopicPartition]:
        return [TopicPartition(place.topic, place.partition, self.next) for place in places]

    def consume(self, count: int, timeout: float) -> list[Told]:
        return []


@pytest.mark.parametrize("is_marker", [False, True], ids=["a record", "the marker of a transaction"])
def test_an_end_that_a_new_leader_tells_too_early_is_not_the_end(is_marker: bool) -> None:
    last = [] if is_marker else [Told(4)]
    reader = LibrdkafkaReader(
        Consumer(Told(3, is_end=True), Told(3), *last, Told(5, is_end=True)), Troubles(), "t", {0: 2}, {0: 5}
    )
    offsets: list[int] = []
    while not reader.caught_up():
        offsets += [message.offset for message in reader.poll(0.0)]
    assert offsets == [3, 4][: 1 + len(last)]
