"""The transport over kafka-python 3: pure Python, so it runs wherever the client installs.

Options follow the kafka-python 3.0 documentation: acks="all" and idempotence are its defaults and stand here because
the ordering rule (an envelope only after its chunks) rests on them. There is no `buffer_memory`; what is unacknowledged
at once is bounded by the caller (`upload.py`).
"""

import threading
import time
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import kafka
from kafka import TopicPartition, errors

from fluvial.identity.brokers import Brokers
from fluvial.kafka.errors import TransportFailed, TransportUnavailable
from fluvial.kafka.interface import (
    FETCH_TIMEOUT_SECONDS,
    MAX_REQUEST_BYTES,
    Message,
    Place,
    Position,
    Reader,
    Start,
    Take,
    fetch_all,
)
from fluvial.wire.errors import ChunkUnavailable

_POLL_MS = 500
_CLOSE_SECONDS = 5.0
_UNKNOWN_TOPIC_SECONDS = 5.0


class KafkaPythonTransport:
    """See `fluvial.kafka.interface.Transport`."""

    def __init__(self, brokers: Brokers, client_id: str) -> None:
        self._settings = brokers.kafka_python(client_id)
        self._lock = threading.Lock()
        self._fetch_lock = threading.Lock()
        self._producer: Any = None
        self._fetcher: Any = None

    def num_partitions(self, topic: str) -> int:
        with _translated(topic):
            return len(self._connected_producer().partitions_for(topic))

    def produce(self, topic: str, value: bytes, *, key: bytes, partition: int | None = None) -> Future[Position]:
        future: Future[Position] = Future()
        try:
            with _translated(topic):
                sent = self._connected_producer().send(topic, value, key=key, partition=partition)
        except (TransportFailed, TransportUnavailable) as error:
            future.set_exception(error)
            return future
        sent.add_callback(
            lambda metadata: future.set_result(
                Position(partition=metadata.partition, offset=metadata.offset, timestamp_ms=metadata.timestamp)
            )
        )
        sent.add_errback(lambda error: future.set_exception(_translate(error, topic)))
        return future

    def read(self, topic: str, start: Start | int = Start.BEGINNING) -> Reader:
        with _translated(topic):
            return KafkaPythonReader(self._consumer("earliest"), topic, start)

    def fetch_each(
        self, topic: str, places: Collection[Place], take: Take, timeout: float = FETCH_TIMEOUT_SECONDS
    ) -> None:
        with self._fetch_lock, _translated(topic):
            if self._fetcher is None:
                self._fetcher = self._consumer("none")
            _Fetch(self._fetcher, topic, places, take).run(timeout)

    def fetch(self, topic: str, places: Sequence[Place], timeout: float = FETCH_TIMEOUT_SECONDS) -> list[bytes]:
        return fetch_all(self, topic, places, timeout)

    def close(self) -> None:
        with self._lock:
            if self._producer is not None:
                self._producer.close(timeout=_CLOSE_SECONDS)
                self._producer = None
        with self._fetch_lock:
            if self._fetcher is not None:
                self._fetcher.close(autocommit=False)
                self._fetcher = None

    def _connected_producer(self) -> Any:
        with self._lock:
            if self._producer is None:
                self._producer = kafka.KafkaProducer(
                    **self._settings,
                    acks="all",
                    enable_idempotence=True,
                    linger_ms=2,
                    batch_size=64 << 10,
                    max_request_size=MAX_REQUEST_BYTES,
                )
            return self._producer

    def _consumer(self, auto_offset_reset: str) -> Any:
        return kafka.KafkaConsumer(
            **self._settings,
            group_id=None,
            enable_auto_commit=False,
            isolation_level="read_committed",
            auto_offset_reset=auto_offset_reset,
            max_partition_fetch_bytes=4 << 20,
            fetch_max_wait_ms=500,
        )


class KafkaPythonReader:
    """See `fluvial.kafka.interface.Reader`."""

    def __init__(self, consumer: Any, topic: str, start: Start | int) -> None:
        self._consumer = consumer
        try:
            partitions = [TopicPartition(topic, number) for number in sorted(_partitions(consumer, topic))]
            consumer.assign(partitions)
            # The ends come first: a record that arrives while times are looked up then lies behind them and is not
            # missed.
            self._ends: dict[Any, int] = dict(consumer.end_offsets(partitions))
            for partition, offset in self._starts(partitions, start).items():
                consumer.seek(partition, offset)
        except BaseException:
            consumer.close(autocommit=False)
            raise

    def _starts(self, partitions: list[Any], start: Start | int) -> dict[Any, int]:
        if start is Start.END:
            return self._ends
        if start is Start.BEGINNING:
            return dict(self._consumer.beginning_offsets(partitions))
        found = self._consumer.offsets_for_times(dict.fromkeys(partitions, start))
        return {
            partition: self._ends[partition] if found.get(partition) is None else found[partition].offset
            for partition in partitions
        }

    def poll(self, timeout: float) -> list[Message]:
        try:
            batches = self._consumer.poll(timeout_ms=max(0, int(timeout * 1000)))
        except errors.KafkaError as error:
            failure = _translate(error, "")
            if isinstance(failure, TransportFailed):
                raise failure from error
            time.sleep(min(timeout, 0.2))
            return []
        return [_message(record) for records in batches.values() for record in records]

    def caught_up(self) -> bool:
        return all(
            (self._consumer.position(partition, timeout_ms=_POLL_MS) or 0) >= end
            for partition, end in self._ends.items()
        )

    def close(self) -> None:
        self._consumer.close(autocommit=False)


def _message(record: Any) -> Message:
    return Message(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp_ms=record.timestamp,
        key=record.key,
        value=record.value,
    )


def _partitions(consumer: Any, topic: str) -> set[int]:
    """A topic that was created a moment ago may be unknown to the broker asked, so one look is not enough."""
    deadline = time.monotonic() + _UNKNOWN_TOPIC_SECONDS
    while not (numbers := consumer.partitions_for_topic(topic)):
        if time.monotonic() > deadline:
            raise TransportFailed(f"topic {topic} does not exist, or this client may not see it")
        time.sleep(0.2)
    return set(numbers)


class _Fetch:
    """One `fetch_each`: reads each partition forward from its first wanted offset, until all are found."""

    def __init__(self, consumer: Any, topic: str, places: Collection[Place], take: Take) -> None:
        self._consumer = consumer
        self._topic = topic
        self._take = take
        self._missing: dict[Any, deque[int]] = {}
        for number, offset in sorted(places):
            self._missing.setdefault(TopicPartition(topic, number), deque()).append(offset)

    def run(self, timeout: float) -> None:
        self._assign()
        deadline = time.monotonic() + timeout
        while self._missing:
            if self._poll():
                deadline = time.monotonic() + timeout
            elif time.monotonic() > deadline:
                left = sum(map(len, self._missing.values()))
                raise TransportUnavailable(f"{left} chunks of {self._topic} not read in {timeout:.0f} s")
            else:
                self._check_ends()

    def _assign(self) -> None:
        self._consumer.assign(list(self._missing))
        # A partition that an earlier fetch paused stays paused when it is assigned again.
        self._consumer.resume(*self._missing)
        for partition, left in self._missing.items():
            self._consumer.seek(partition, left[0])

    def _poll(self) -> bool:
        """Says whether wanted records came."""
        try:
            batches = self._consumer.poll(timeout_ms=_POLL_MS)
        except errors.OffsetOutOfRangeError as error:
            raise ChunkUnavailable(f"{self._topic}: {error}") from error
        found = False
        for partition, records in batches.items():
            for record in records:
                left = self._missing.get(partition)
                if not left or record.offset < left[0]:
                    continue
                if record.offset > left[0] or record.value is None:
                    raise self._unavailable(partition)
                self._take((partition.partition, left.popleft()), bytes(record.value))
                found = True
                if not left:
                    del self._missing[partition]
                    self._consumer.pause(partition)
        return found

    def _check_ends(self) -> None:
        """Nothing came: because the broker is away, because control records were read, or because there is nothing."""
        ends = self._consumer.end_offsets(list(self._missing))
        for partition, left in self._missing.items():
            position = self._consumer.position(partition, timeout_ms=_POLL_MS) or 0
            if left[0] >= ends[partition] or left[0] < position:
                raise self._unavailable(partition)

    def _unavailable(self, partition: Any) -> ChunkUnavailable:
        offset = self._missing[partition][0]
        return ChunkUnavailable(f"{self._topic}, partition {partition.partition}, offset {offset} is not there")


@contextmanager
def _translated(topic: str) -> Iterator[None]:
    try:
        yield
    except errors.KafkaError as error:
        raise _translate(error, topic) from error


def _translate(error: BaseException, topic: str) -> TransportFailed | TransportUnavailable:
    """Waiting cures a broker that is away, and nothing else."""
    text = f"{topic}: {error}" if topic else str(error)
    if getattr(error, "retriable", False) or isinstance(error, errors.BrokerNotAvailableError | errors.Cancelled):
        return TransportUnavailable(text)
    return TransportFailed(text)
