"""Reads whole topics with kafka-python: committed records only, up to the ends as they were at the start."""

import time
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import kafka
from kafka import TopicPartition
from kafka.errors import KafkaError

from fluvial.auditor.reader import ReadFailed, TopicRecord
from fluvial.identity.federation import Federation

STALL_SECONDS = 30.0
_POLL_MS = 500
_BOOTSTRAP_MS = 10_000
_UNKNOWN_TOPIC_SECONDS = 10.0
_FETCH_BYTES = 4 << 20


class KafkaTopicReader:
    """See `fluvial.auditor.reader.TopicReader`. Use as a context manager; read one topic at a time.

    topics: full names, in the order in which their ends are taken. Raises ReadFailed if one cannot be read, also later,
    when nothing arrives for `stall_seconds`.
    """

    def __init__(self, federation: Federation, topics: Sequence[str], *, stall_seconds: float = STALL_SECONDS) -> None:
        self._stall_seconds = stall_seconds
        self._begin: dict[str, dict[Any, int]] = {}
        self._end: dict[str, dict[Any, int]] = {}
        try:
            self._consumer: Any = kafka.KafkaConsumer(
                **federation.brokers.kafka_python("fluvial-auditor"),
                group_id=None,
                enable_auto_commit=False,
                isolation_level="read_committed",
                auto_offset_reset="none",
                max_partition_fetch_bytes=_FETCH_BYTES,
                fetch_max_wait_ms=100,
                bootstrap_timeout_ms=_BOOTSTRAP_MS,
            )
        except KafkaError as error:
            raise ReadFailed(f"no broker at {federation.brokers}: {error}") from error
        try:
            for topic in topics:
                partitions = [TopicPartition(topic, number) for number in sorted(self._partitions(topic))]
                # With read_committed these are the last stable offsets: no open transaction lies before them.
                self._end[topic] = dict(self._consumer.end_offsets(partitions))
                self._begin[topic] = dict(self._consumer.beginning_offsets(partitions))
        except KafkaError as error:
            self.close()
            raise ReadFailed(f"the ends of the topics cannot be read: {error}") from error
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Releases the connection."""
        self._consumer.close(autocommit=False)

    def begin_offsets(self, topic: str) -> Mapping[int, int]:
        """By partition, the first offset that retention has left."""
        return {partition.partition: offset for partition, offset in self._begin[topic].items()}

    def records(self, topic: str) -> Iterator[TopicRecord]:
        """All committed records up to the end, each partition in the order of its offsets."""
        begin, end = self._begin[topic], self._end[topic]
        left = {partition for partition in end if begin[partition] < end[partition]}
        self._assign(left, begin)
        progress = time.monotonic()
        while left:
            for record in self._poll(topic):
                progress = time.monotonic()
                if record.offset < end[TopicPartition(topic, record.partition)]:
                    yield record
            # The consumer's position moves over the markers of transactions, which no poll returns.
            done = {partition for partition in left if self._position(partition) >= end[partition]}
            left -= done
            if done:
                progress = time.monotonic()
                self._consumer.pause(*done)
            if time.monotonic() - progress > self._stall_seconds:
                raise ReadFailed(
                    f"{topic}: nothing arrived for {self._stall_seconds:.0f} s, {len(left)} partitions unread"
                )

    def follow(self, topic: str) -> Iterator[TopicRecord]:
        """The committed records after the end, as they arrive, without end."""
        self._assign(set(self._end[topic]), self._end[topic])
        while True:
            yield from self._poll(topic)

    def _assign(self, partitions: set[Any], offsets: Mapping[Any, int]) -> None:
        self._consumer.assign(sorted(partitions))
        for partition in partitions:
            self._consumer.seek(partition, offsets[partition])

    def _poll(self, topic: str) -> Iterator[TopicRecord]:
        try:
            batches = self._consumer.poll(timeout_ms=_POLL_MS)
        except KafkaError as error:
            raise ReadFailed(f"{topic}: {error}") from error
        for records in batches.values():
            for record in records:
                yield TopicRecord(
                    topic=record.topic,
                    partition=record.partition,
                    offset=record.offset,
                    timestamp_ms=record.timestamp,
                    key=record.key,
                    value=record.value,
                )

    def _position(self, partition: Any) -> int:
        return int(self._consumer.position(partition, timeout_ms=_POLL_MS) or 0)

    def _partitions(self, topic: str) -> set[int]:
        """A topic that was created a moment ago may be unknown to the broker asked, so one look is not enough."""
        deadline = time.monotonic() + _UNKNOWN_TOPIC_SECONDS
        while not (numbers := self._consumer.partitions_for_topic(topic)):
            if time.monotonic() > deadline:
                raise ReadFailed(f"topic {topic} does not exist, or this client may not see it")
            time.sleep(0.2)
        return set(numbers)
