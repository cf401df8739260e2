"""The reader over a consumer that treats markers of transactions and open ends as kafka-python does."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest
from kafka.errors import KafkaConnectionError, TopicAuthorizationFailedError

from fluvial.kafka import Bounds, Start, TransportFailed, read_to_end
from fluvial.kafka.kafka_python import reader as module
from fluvial.kafka.kafka_python.reader import KafkaPythonReader, bounds


class Stored(NamedTuple):
    """A record as kafka-python returns it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Iterable[tuple[str, bytes]] = (("name", b"x"),)


@dataclass
class FakeConsumer:
    """logs: by partition, the offsets of committed records. ends: last stable offsets, markers included."""

    logs: dict[int, list[int]]
    ends: dict[int, int]
    begins: dict[int, int] = field(default_factory=dict)
    assigned: dict[Any, int] = field(default_factory=dict)
    paused: set[Any] = field(default_factory=set)
    error: Exception | None = None

    def partitions_for_topic(self, topic: str) -> set[int]:
        return set(self.ends) if topic == "topic" else set()

    def end_offsets(self, partitions: list[Any]) -> dict[Any, int]:
        return {partition: self.ends[partition.partition] for partition in partitions}

    def beginning_offsets(self, partitions: list[Any]) -> dict[Any, int]:
        return {partition: self.begins.get(partition.partition, 0) for partition in partitions}

    def assign(self, partitions: list[Any]) -> None:
        self.assigned, self.paused = dict.fromkeys(partitions, 0), set()

    def seek(self, partition: Any, offset: int) -> None:
        self.assigned[partition] = offset

    def pause(self, *partitions: Any) -> None:
        self.paused |= set(partitions)

    def position(self, partition: Any, timeout_ms: int) -> int:
        return self.assigned[partition]

    def poll(self, timeout_ms: int) -> dict[Any, list[Stored]]:
        """One record a partition and poll; where there is none left, the position moves over the markers."""
        if self.error is not None:
            raise self.error
        batches = {}
        for partition, position in self.assigned.items():
            if partition in self.paused:
                continue
            left = [offset for offset in self.logs[partition.partition] if offset >= position]
            if left:
                batches[partition] = [Stored("topic", partition.partition, left[0], 7, None, b"%d" % left[0])]
            self.assigned[partition] = left[0] + 1 if left else max(position, self.ends[partition.partition])
        return batches


def offsets(reader: KafkaPythonReader) -> list[tuple[int, int]]:
    return sorted((m.partition, m.offset) for m in read_to_end(reader, 5))


def test_the_end_is_reached_over_markers_that_no_poll_returns() -> None:
    """Partition 0: record record marker.  Partition 1: markers alone.  Partition 2: empty."""
    consumer = FakeConsumer(logs={0: [0, 1], 1: [], 2: []}, ends={0: 3, 1: 4, 2: 0})
    assert offsets(KafkaPythonReader(consumer, "topic", Start.BEGINNING, None)) == [(0, 0), (0, 1)]


def test_what_arrives_behind_the_stop_is_left_and_the_partition_rests() -> None:
    consumer = FakeConsumer(logs={0: [0, 1, 3], 1: []}, ends={0: 4, 1: 0})
    reader = KafkaPythonReader(consumer, "topic", Start.BEGINNING, {0: 3, 1: 0})
    assert offsets(reader) == [(0, 0), (0, 1)]
    assert {partition.partition for partition in consumer.paused} == {0}
    assert reader.poll(0.0) == []


def test_reading_begins_at_what_retention_left() -> None:
    consumer = FakeConsumer(logs={0: [5, 6]}, ends={0: 7}, begins={0: 5})
    assert bounds(consumer, "topic") == {0: Bounds(5, 7)}
    assert offsets(KafkaPythonReader(consumer, "topic", Start.BEGINNING, None)) == [(0, 5), (0, 6)]


def test_a_record_keeps_what_it_came_with() -> None:
    (message,) = KafkaPythonReader(FakeConsumer({0: [3]}, {0: 4}), "topic", {0: 3}, None).poll(0.0)
    assert (message.offset, message.timestamp_ms, message.key, message.value) == (3, 7, None, b"3")
    assert message.headers == (("name", b"x"),)


def test_a_topic_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_UNKNOWN_TOPIC_SECONDS", 0.0)
    with pytest.raises(TransportFailed, match="elsewhere does not exist"):
        bounds(FakeConsumer({}, {0: 0}), "elsewhere")


def test_a_broker_that_is_away_is_waited_for_and_a_refusal_is_raised() -> None:
    consumer = FakeConsumer({0: [0]}, {0: 1}, error=KafkaConnectionError("lost"))
    reader = KafkaPythonReader(consumer, "topic", Start.BEGINNING, None)
    assert reader.poll(0.0) == []
    consumer.error = TopicAuthorizationFailedError("topic")
    with pytest.raises(TransportFailed, match="topic"):
        reader.poll(0.0)
