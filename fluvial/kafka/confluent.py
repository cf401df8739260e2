"""The transport over confluent-kafka (librdkafka), used where that package is installed.

librdkafka places a key by CRC32 unless told otherwise; `murmur2_random` agrees with Java and kafka-python, so a
participant's records stay in one partition whichever client sends them. Delivery reports come only when somebody polls:
a thread of the transport does.
"""

import threading
import time
from collections import deque
from collections.abc import Collection, Sequence
from concurrent.futures import Future
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

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

_CALL_SECONDS = 30.0
_CLOSE_SECONDS = 5.0
_FULL_SECONDS = 0.002
_BATCH = 64


class ConfluentTransport:
    """See `fluvial.kafka.interface.Transport`."""

    def __init__(self, brokers: Brokers, client_id: str) -> None:
        self._settings = brokers.librdkafka(client_id)
        self._lock = threading.Lock()
        self._fetch_lock = threading.Lock()
        self._closing = threading.Event()
        self._producer: Any = None
        self._reports: threading.Thread | None = None
        self._fetcher: Any = None

    def num_partitions(self, topic: str) -> int:
        return len(_partitions(self._connected_producer(), topic))

    def produce(self, topic: str, value: bytes, *, key: bytes, partition: int | None = None) -> Future[Position]:
        future: Future[Position] = Future()

        def report(error: Any, message: Any) -> None:
            if error is not None:
                future.set_exception(_translate(error, topic))
            else:
                _, timestamp_ms = message.timestamp()
                future.set_result(
                    Position(partition=message.partition(), offset=message.offset(), timestamp_ms=timestamp_ms)
                )

        producer, number = self._connected_producer(), -1 if partition is None else partition
        deadline = time.monotonic() + _CALL_SECONDS
        while True:
            try:
                producer.produce(topic, value, key, partition=number, on_delivery=report)
            except BufferError as error:
                # The queue is full: the broker is slower than the caller, or away.
                if time.monotonic() < deadline:
                    time.sleep(_FULL_SECONDS)
                    continue
                future.set_exception(TransportUnavailable(str(error)))
            except KafkaException as error:
                future.set_exception(_translate(error.args[0], topic))
            return future

    def read(self, topic: str, start: Start | int = Start.BEGINNING) -> Reader:
        consumer = self._consumer("earliest")
        try:
            return ConfluentReader(consumer, topic, start)
        except KafkaException as error:
            consumer.close()
            raise _translate(error.args[0], topic) from error
        except BaseException:
            consumer.close()
            raise

    def fetch_each(
        self, topic: str, places: Collection[Place], take: Take, timeout: float = FETCH_TIMEOUT_SECONDS
    ) -> None:
        with self._fetch_lock:
            if self._fetcher is None:
                self._fetcher = self._consumer("error")
            _Fetch(self._fetcher, topic, places, take).run(timeout)

    def fetch(self, topic: str, places: Sequence[Place], timeout: float = FETCH_TIMEOUT_SECONDS) -> list[bytes]:
        return fetch_all(self, topic, places, timeout)

    def close(self) -> None:
        with self._lock:
            self._closing.set()
            if self._reports is not None:
                self._reports.join()
                self._reports = None
            if self._producer is not None:
                self._producer.flush(_CLOSE_SECONDS)
                self._producer = None
        with self._fetch_lock:
            if self._fetcher is not None:
                self._fetcher.close()
                self._fetcher = None

    def _connected_producer(self) -> Any:
        with self._lock:
            if self._producer is None:
                self._producer = Producer(
                    {
                        **self._settings,
                        "acks": "all",
                        "enable.idempotence": True,
                        "linger.ms": 0,  # chunks are batches by themselves, and an envelope is waited for
                        "queue.buffering.max.kbytes": 64 << 10,
                        "partitioner": "murmur2_random",
                        "message.max.bytes": MAX_REQUEST_BYTES,
                    }
                )
                self._closing.clear()
                self._reports = threading.Thread(target=self._serve_reports, name="fluvial-delivery", daemon=True)
                self._reports.start()
            return self._producer

    def _serve_reports(self) -> None:
        while not self._closing.is_set():
            self._producer.poll(0.1)

    def _consumer(self, auto_offset_reset: str) -> Any:
        return Consumer(
            {
                **self._settings,
                "group.id": "fluvial-edge",  # librdkafka asks for one; with assign() and no commits it stays unused
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "enable.partition.eof": True,
                "isolation.level": "read_committed",
                "auto.offset.reset": auto_offset_reset,
                "fetch.wait.max.ms": 250,
                "fetch.message.max.bytes": 4 << 20,
                "fetch.max.bytes": 16 << 20,
                "receive.message.max.bytes": 17 << 20,  # more than was asked for is no answer
                "queued.max.messages.kbytes": 16 << 10,
                "fetch.queue.backoff.ms": 1,  # a full queue otherwise postpones the next fetch by a second
            }
        )


class ConfluentReader:
    """See `fluvial.kafka.interface.Reader`."""

    def __init__(self, consumer: Any, topic: str, start: Start | int) -> None:
        self._consumer = consumer
        self._topic = topic
        numbers = _partitions(consumer, topic)
        watermarks = {
            number: consumer.get_watermark_offsets(TopicPartition(topic, number), _CALL_SECONDS) for number in numbers
        }
        self._ends = {number: high for number, (_, high) in watermarks.items()}
        if start is Start.BEGINNING:
            starts = {number: low for number, (low, _) in watermarks.items()}
        elif start is Start.END:
            starts = dict(self._ends)
        else:
            starts = self._starts_at(numbers, start)
        self._behind = {number for number in numbers if starts[number] < self._ends[number]}
        consumer.assign([TopicPartition(topic, number, offset) for number, offset in starts.items()])

    def _starts_at(self, numbers: list[int], timestamp_ms: object) -> dict[int, int]:
        """Where no record is as new as that, the end, taken before: what has arrived meanwhile is not missed."""
        times = [TopicPartition(self._topic, number, timestamp_ms) for number in numbers]
        found = self._consumer.offsets_for_times(times, _CALL_SECONDS)
        return {at.partition: self._ends[at.partition] if at.offset < 0 else at.offset for at in found}

    def poll(self, timeout: float) -> list[Message]:
        messages = []
        for record in _arrived(self._consumer, timeout):
            number, error = record.partition(), record.error()
            if error is None:
                messages.append(_message(record))
                if record.offset() + 1 >= self._ends[number]:
                    self._behind.discard(number)
            elif error.code() == KafkaError._PARTITION_EOF:
                # Control records of transactions may lie between the last record and the end.
                self._behind.discard(number)
            elif isinstance(failure := _translate(error, self._topic), TransportFailed):
                raise failure
        return messages

    def caught_up(self) -> bool:
        return not self._behind

    def close(self) -> None:
        self._consumer.close()


def _arrived(consumer: Any, timeout: float) -> list[Any]:
    """As soon as there is a record, it and those behind it; `consume` alone would wait for a full batch."""
    first = consumer.poll(timeout)
    return [] if first is None else [first, *consumer.consume(_BATCH, 0)]


def _message(record: Any) -> Message:
    return Message(
        topic=record.topic(),
        partition=record.partition(),
        offset=record.offset(),
        timestamp_ms=record.timestamp()[1],
        key=record.key(),
        value=record.value(),
    )


def _partitions(client: Any, topic: str) -> list[int]:
    try:
        metadata = client.list_topics(topic, _CALL_SECONDS).topics[topic]
    except KafkaException as error:
        raise _translate(error.args[0], topic) from error
    if metadata.error is not None:
        raise _translate(metadata.error, topic)
    return sorted(metadata.partitions)


class _Fetch:
    """One `fetch_each`: reads each partition forward from its first wanted offset, until all are found."""

    def __init__(self, consumer: Any, topic: str, places: Collection[Place], take: Take) -> None:
        self._consumer = consumer
        self._topic = topic
        self._take = take
        self._missing: dict[int, deque[int]] = {}
        for number, offset in sorted(places):
            self._missing.setdefault(number, deque()).append(offset)

    def run(self, timeout: float) -> None:
        self._consumer.assign([TopicPartition(self._topic, number, left[0]) for number, left in self._missing.items()])
        try:
            deadline = time.monotonic() + timeout
            while self._missing:
                for record in _arrived(self._consumer, 0.5):
                    if self._handle(record):
                        deadline = time.monotonic() + timeout
                if time.monotonic() > deadline:
                    left = sum(map(len, self._missing.values()))
                    raise TransportUnavailable(f"{left} chunks of {self._topic} not read in {timeout:.0f} s")
        finally:
            self._consumer.unassign()

    def _handle(self, record: Any) -> bool:
        """Says whether the record was wanted; those of partitions already finished may still be queued."""
        number, error = record.partition(), record.error()
        if error is not None:
            self._handle_error(number, error)
            return False
        left = self._missing.get(number)
        if not left or record.offset() < left[0]:
            return False
        if record.offset() > left[0] or record.value() is None:
            raise self._unavailable(number)
        self._take((number, left.popleft()), record.value())
        if not left:
            del self._missing[number]
            self._consumer.incremental_unassign([TopicPartition(self._topic, number)])
        return True

    def _handle_error(self, number: int, error: Any) -> None:
        if error.code() in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):
            raise ChunkUnavailable(f"{self._topic}: {error.str()}")
        if error.code() == KafkaError._PARTITION_EOF:
            if number in self._missing:
                # The reader is at the end, so whatever is still missing lies behind it or was removed.
                raise self._unavailable(number)
        elif isinstance(failure := _translate(error, self._topic), TransportFailed):
            raise failure

    def _unavailable(self, number: int) -> ChunkUnavailable:
        return ChunkUnavailable(f"{self._topic}, partition {number}, offset {self._missing[number][0]} is not there")


def _translate(error: Any, topic: str) -> TransportFailed | TransportUnavailable:
    """librdkafka heals connections by itself: its own codes (negative) for an absent broker are a matter of waiting."""
    text = f"{topic}: {error.str()}"
    waiting = (KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT, KafkaError._MSG_TIMED_OUT)
    if error.retriable() or error.code() in (*waiting, KafkaError._RESOLVE, KafkaError.LEADER_NOT_AVAILABLE):
        return TransportUnavailable(text)
    return TransportFailed(text)
