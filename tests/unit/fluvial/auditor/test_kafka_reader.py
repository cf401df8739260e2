"""The reader of a broker, over a consumer that treats markers of transactions and open ends as kafka-python does."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest
from kafka.errors import KafkaConnectionError, KafkaTimeoutError

from fluvial.auditor import kafka_reader
from fluvial.auditor.kafka_reader import KafkaTopicReader
from fluvial.auditor.reader import ReadFailed
from tests.unit.fluvial.auditor.world import World

FEDERATION = World().federation


class Stored(NamedTuple):
    """A record as kafka-python returns it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


@dataclass
class FakeConsumer:
    """logs: by partition, the offsets of committed records. ends: last stable offsets, markers included."""

    logs: dict[int, list[int]]
    ends: dict[int, int]
    begins: dict[int, int] = field(default_factory=dict)
    assigned: dict[Any, int] = field(default_factory=dict)
    paused: set[Any] = field(default_factory=set)
    settings: dict[str, Any] = field(default_factory=dict)
    stuck: bool = False
    closed: bool = False

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
        batches = {}
        for partition, position in self.assigned.items():
            if self.stuck or partition in self.paused:
                continue
            left = [offset for offset in self.logs[partition.partition] if offset >= position]
            if left:
                stored = Stored("topic", partition.partition, left[0], 7, None, b"%d" % left[0])
                batches[partition] = [stored]
            self.assigned[partition] = left[0] + 1 if left else max(position, self.ends[partition.partition])
        return batches

    def close(self, autocommit: bool) -> None:
        self.closed = True


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Callable[..., KafkaTopicReader]:
    def make(consumer: FakeConsumer, *topics: str, **options: float) -> KafkaTopicReader:
        def connected(**settings: Any) -> FakeConsumer:
            consumer.settings = settings
            return consumer

        monkeypatch.setattr(kafka_reader.kafka, "KafkaConsumer", connected)
        return KafkaTopicReader(FEDERATION, topics or ("topic",), **options)

    return make


Connect = Callable[..., KafkaTopicReader]


def offsets(reader: KafkaTopicReader) -> list[tuple[int, int]]:
    return sorted((record.partition, record.offset) for record in reader.records("topic"))


def test_all_records_up_to_the_end_are_read_again_and_again(connect: Connect) -> None:
    """Partition 0:  record record marker | later record        Partition 1:  empty"""
    consumer = FakeConsumer(logs={0: [0, 1, 3], 1: []}, ends={0: 3, 1: 0})
    reader = connect(consumer)
    assert offsets(reader) == [(0, 0), (0, 1)]
    assert offsets(reader) == [(0, 0), (0, 1)]
    assert consumer.settings["isolation_level"] == "read_committed"


def test_a_partition_of_markers_alone_ends(connect: Connect) -> None:
    assert offsets(connect(FakeConsumer(logs={0: []}, ends={0: 4}))) == []


def test_reading_begins_at_what_retention_left(connect: Connect) -> None:
    reader = connect(FakeConsumer(logs={0: [5, 6]}, ends={0: 7}, begins={0: 5}))
    assert reader.begin_offsets("topic") == {0: 5}
    assert offsets(reader) == [(0, 5), (0, 6)]


def test_following_goes_on_after_the_end(connect: Connect) -> None:
    consumer = FakeConsumer(logs={0: [0, 1]}, ends={0: 2})
    reader = connect(consumer)
    consumer.logs[0] += [2, 3]
    following = reader.follow("topic")
    assert [next(following).offset, next(following).offset] == [2, 3]


def test_a_broker_that_says_nothing_is_not_waited_for_for_ever(connect: Connect) -> None:
    reader = connect(FakeConsumer(logs={0: [0]}, ends={0: 1}, stuck=True), stall_seconds=0.0)
    with pytest.raises(ReadFailed, match="nothing arrived"):
        list(reader.records("topic"))


def test_a_topic_that_is_not_there_is_an_error_and_the_connection_is_closed(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_reader, "_UNKNOWN_TOPIC_SECONDS", 0.0)
    consumer = FakeConsumer(logs={}, ends={0: 0})
    with pytest.raises(ReadFailed, match="elsewhere does not exist"):
        connect(consumer, "elsewhere")
    assert consumer.closed


def test_errors_of_the_client_are_read_failures(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **settings: object) -> None:
        raise KafkaConnectionError("lost")

    consumer = FakeConsumer(logs={0: [0]}, ends={0: 1})
    reader = connect(consumer)
    monkeypatch.setattr(consumer, "poll", fail)
    with pytest.raises(ReadFailed, match="lost"):
        list(reader.records("topic"))
    monkeypatch.setattr(consumer, "end_offsets", fail)
    with pytest.raises(ReadFailed, match="ends of the topics"):
        connect(consumer)

    def refuse(**settings: object) -> None:
        raise KafkaTimeoutError("nobody there")

    monkeypatch.setattr(kafka_reader.kafka, "KafkaConsumer", refuse)
    with pytest.raises(ReadFailed, match="no broker at none:0"):
        KafkaTopicReader(FEDERATION, ("topic",))


def test_records_know_where_they_lie(connect: Connect) -> None:
    with connect(FakeConsumer(logs={0: [3]}, ends={0: 4})) as reader:
        (record,) = reader.records("topic")
    assert str(record) == "topic/0@3"
    assert (record.timestamp_ms, record.key, record.value) == (7, None, b"3")
