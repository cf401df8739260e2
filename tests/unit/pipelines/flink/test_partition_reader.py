"""A partition read forward over a scripted client: wrong references are answers, a silent broker is an error."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from fluvial.wire.errors import ChunkUnavailable
from pipelines.flink import partition_reader
from pipelines.flink.chunk_cache import ChunkCache
from pipelines.flink.partition_reader import PartitionCount, PartitionReader

MARKER, BOMB = None, object()
"""What an offset holds beside bytes: the marker of a transaction, and a batch that the client will not inflate."""


@dataclass
class Message:
    at: int
    held: bytes | None = None
    code: int | None = None

    def offset(self) -> int:
        return self.at

    def key(self) -> bytes | None:
        return None if self.held is None else b"key of " + self.held

    def value(self) -> bytes | None:
        return self.held

    def error(self) -> KafkaError | None:
        return None if self.code is None else KafkaError(self.code)


class Partition:
    """A partition as librdkafka gives it: markers are passed over, an end is told once, a bad batch again and again."""

    def __init__(self, *held: Any, low: int = 0, num_partitions: int = 1) -> None:
        self.held, self.low = list(held), low
        self.at = 0
        self.told_end = False
        self.answers = True
        self.topic_is_known = True
        self.num_partitions, self.num_asked = num_partitions, 0
        self.error: int | None = None
        self.assignments: list[int] = []
        self.num_bounds_asked = 0
        self.at_rest = threading.Event()

    def unassign(self) -> None:
        self.at_rest.set()

    def assign(self, places: list[Any]) -> None:
        self.at, self.told_end = places[0].offset, False
        self.assignments.append(self.at)

    def poll(self, timeout: float) -> Message | None:
        if self.error is not None:
            code, self.error = self.error, None
            return Message(self.at, code=code)
        if not self.answers:
            return None
        if not self.low <= self.at <= len(self.held):
            return Message(self.at, code=KafkaError._AUTO_OFFSET_RESET)
        while self.at < len(self.held) and self.held[self.at] is MARKER:
            self.at += 1
        if self.at == len(self.held):
            if self.told_end:
                return None
            self.told_end = True
            return Message(self.at, code=KafkaError._PARTITION_EOF)
        if self.held[self.at] is BOMB:
            return Message(self.at, code=KafkaError._BAD_COMPRESSION)
        self.at += 1
        return Message(self.at - 1, self.held[self.at - 1])

    def consume(self, count: int, timeout: float) -> list[Message]:
        taken: list[Message] = []
        while len(taken) < count and (message := self.poll(timeout)) is not None:
            taken.append(message)
        return taken

    def get_watermark_offsets(self, place: Any, timeout: float) -> tuple[int, int]:
        self.num_bounds_asked += 1
        if not self.answers:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        return self.low, len(self.held)

    def close(self) -> None:
        pass

    def list_topics(self, topic: str, timeout: float) -> Any:
        if not self.answers:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))
        self.num_asked += 1
        error = None if self.topic_is_known else KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)
        partitions = dict.fromkeys(range(self.num_partitions if self.topic_is_known else 0))
        return SimpleNamespace(topics={topic: SimpleNamespace(error=error, partitions=partitions)})


def reader_of(partition: Partition, monkeypatch: pytest.MonkeyPatch, cache_bytes: int = 0) -> PartitionReader:
    clock = iter(range(1_000_000))
    monkeypatch.setattr(partition_reader.time, "monotonic", lambda: next(clock) / 10)
    return PartitionReader(lambda: partition, "blobs", 0, ChunkCache(cache_bytes))


def count_of(partition: Partition, monkeypatch: pytest.MonkeyPatch) -> PartitionCount:
    return PartitionCount(lambda: partition, "blobs")


def read(reader: PartitionReader, offset: int) -> bytes | None:
    """The record, or None where there is none."""
    try:
        return reader.read(offset, 2.0).value
    except ChunkUnavailable:
        return None


def test_a_partition_is_read_forward_and_what_lies_on_the_way_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    partition = Partition(b"zero", b"one", b"two", b"three")
    cache = ChunkCache(100)
    reader = PartitionReader(lambda: partition, "blobs", 0, cache)
    assert [reader.read(offset, 2.0) for offset in (0, 3)] == [(b"key of zero", b"zero"), (b"key of three", b"three")]
    assert [cache.take(0, offset) for offset in (1, 2)] == [(b"key of one", b"one"), (b"key of two", b"two")]
    assert partition.assignments == [0]


def test_what_came_with_a_record_is_not_lost_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """Records come in batches; what had come of the last one was thrown away, and its references named no record."""
    partition = Partition(*(b"%d" % offset for offset in range(30)))
    reader = reader_of(partition, monkeypatch)
    assert [read(reader, offset) for offset in range(30)] == partition.held
    assert partition.assignments == [0]


@pytest.mark.parametrize("before", [(), (0,), (1,)])
def test_a_reference_to_the_marker_at_the_end_names_no_record(
    before: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end is told once, and nothing comes after it: whoever waited for more would wait until somebody writes."""
    reader = reader_of(Partition(b"zero", b"one", MARKER), monkeypatch)
    for offset in before:
        assert read(reader, offset) is not None
    assert read(reader, 2) is None
    assert read(reader, 1) == b"one"


def test_a_reference_to_a_marker_between_records_names_no_record(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = reader_of(Partition(b"zero", MARKER, b"two"), monkeypatch)
    assert [read(reader, offset) for offset in (0, 1, 2, 1, 0)] == [b"zero", None, b"two", None, b"zero"]


def test_the_end_that_a_partition_had_is_no_reason_to_ask_the_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker answers behind the fetch that waits for news: reading each new model took a second."""
    partition = Partition(b"zero", MARKER)
    reader = reader_of(partition, monkeypatch)
    for offset in (0, 2, 4):
        assert read(reader, offset) is not None
        reader._poll()  # the client's own thread comes to the end meanwhile
        partition.held += [b"of the next round", MARKER]
        partition.told_end = False
    assert partition.num_bounds_asked == 0
    assert partition.assignments == [0]
    assert read(reader, 9) is None
    assert partition.num_bounds_asked > 0


@pytest.mark.parametrize("offset", [4, 1 << 40])
def test_an_offset_that_nobody_wrote_names_no_record(offset: int, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = reader_of(Partition(b"0", b"1", b"2", b"3"), monkeypatch)
    assert read(reader, offset) is None
    assert read(reader, 3) == b"3"
    assert read(reader, offset) is None


def test_what_retention_took_names_no_record_and_what_is_left_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    partition = Partition(b"0", b"1", b"2", b"3")
    reader = reader_of(partition, monkeypatch)
    assert read(reader, 0) == b"0"
    partition.low, partition.at = 3, 1
    assert read(reader, 3) == b"3"
    assert read(reader, 2) is None
    assert read(reader, 3) == b"3"


def test_a_batch_that_cannot_be_inflated_harms_no_other_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = reader_of(Partition(b"zero", BOMB, b"two", b"three"), monkeypatch)
    assert [read(reader, offset) for offset in (0, 2, 1, 3, 0)] == [b"zero", b"two", None, b"three", b"zero"]


def test_a_partition_that_does_not_exist_has_no_records(monkeypatch: pytest.MonkeyPatch) -> None:
    count = count_of(partition := Partition(num_partitions=2), monkeypatch)
    for number in (0, 1):
        count.check(number)
    for number in (2, -1, 1 << 30):
        with pytest.raises(ChunkUnavailable, match="there are 2"):
            count.check(number)
    assert partition.num_asked < 4
    partition.num_partitions = 3
    monkeypatch.setattr(partition_reader, "_ASK_AGAIN_S", 0.0)
    count.check(2)


def test_a_broker_that_has_just_started_says_nothing_of_partitions(monkeypatch: pytest.MonkeyPatch) -> None:
    """An update that was sent right before a broker's end was refused: librdkafka knows of no partition without a
    broker, and a broker that starts knows of no topic."""
    count = count_of(partition := Partition(num_partitions=2), monkeypatch)
    partition.topic_is_known = False
    for partition.answers in (False, True):
        with pytest.raises(TimeoutError):
            count.check(1)
    partition.topic_is_known = True
    count.check(1)


def test_a_broker_that_does_not_answer_is_an_error_and_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    partition = Partition(b"zero", b"one")
    reader = reader_of(partition, monkeypatch)
    partition.answers = False
    with pytest.raises(TimeoutError, match="within 2 s"):
        reader.read(1, 2.0)
    partition.answers = True
    assert read(reader, 1) == b"one"


@pytest.mark.parametrize(
    "code",
    [
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.OFFSET_NOT_AVAILABLE,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._UNKNOWN_PARTITION,
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
    ],
)
def test_an_error_of_the_broker_is_waited_out(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    partition = Partition(b"zero", b"one")
    reader = reader_of(partition, monkeypatch)
    partition.error = code
    assert read(reader, 1) == b"one"


def test_the_broker_is_asked_who_leads_the_partition_before_it_is_read_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that has not heard of a topic would begin at the next stroke of its clock, up to a second later."""
    partition = Partition(b"zero", b"one", b"two")
    reader = reader_of(partition, monkeypatch)
    assert [read(reader, offset) for offset in (2, 0)] == [b"two", b"zero"]
    assert (partition.num_asked, partition.assignments) == (1, [2, 0])


def test_a_reader_that_nobody_asks_rests_and_goes_on_where_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    partition = Partition(b"zero", b"one", b"two", b"three")
    reader = reader_of(partition, monkeypatch)
    assert read(reader, 0) == b"zero"
    assert not reader.rest(1e6)  # somebody asked a moment ago
    assert not partition.at_rest.is_set()
    assert reader.rest(0.0)
    assert partition.at_rest.is_set()
    assert [read(reader, offset) for offset in (1, 3)] == [b"one", b"three"]
    assert partition.assignments == [0, 1]


def test_a_reader_in_use_does_not_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    partition = Partition(b"zero")
    reader = reader_of(partition, monkeypatch)
    assert reader.rest(0.0)  # it has not begun
    with reader.lock:
        assert not reader.rest(0.0)
    assert not partition.at_rest.is_set()
