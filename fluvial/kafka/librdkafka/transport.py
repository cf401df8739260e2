"""The transport over confluent-kafka (librdkafka), used where that package is installed.

librdkafka places a key by CRC32 unless told otherwise; `murmur2_random` agrees with Java and kafka-python, so a
participant's records stay in one partition whichever client sends them. Delivery reports come only when somebody polls:
a thread of the transport does.
"""

import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from confluent_kafka import Consumer, KafkaException, Producer

from fluvial.identity.brokers import Brokers
from fluvial.kafka.errors import TransportUnavailable
from fluvial.kafka.interface import (
    FETCH_TIMEOUT_SECONDS,
    MAX_REQUEST_BYTES,
    Bounds,
    Place,
    Position,
    Reader,
    Start,
    Take,
    fetch_all,
)
from fluvial.kafka.librdkafka.errors import translate
from fluvial.kafka.librdkafka.fetch import Fetch
from fluvial.kafka.librdkafka.reader import LibrdkafkaReader, bounds, partitions

_CALL_SECONDS = 30.0
_CLOSE_SECONDS = 5.0
_FULL_SECONDS = 0.002


class LibrdkafkaTransport:
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
        return len(partitions(self._connected_producer(), topic))

    def produce(self, topic: str, value: bytes, *, key: bytes, partition: int | None = None) -> Future[Position]:
        future: Future[Position] = Future()

        def report(error: Any, message: Any) -> None:
            if error is not None:
                future.set_exception(translate(error, topic))
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
                future.set_exception(translate(error.args[0], topic))
            return future

    def bounds(self, topic: str) -> Mapping[int, Bounds]:
        with self._reading("earliest", topic) as consumer:
            held = bounds(consumer, topic)
            consumer.close()
        return held

    def read(
        self,
        topic: str,
        start: Start | int | Mapping[int, int] = Start.BEGINNING,
        until: Mapping[int, int] | None = None,
    ) -> Reader:
        # Whoever names offsets is not served others.
        with self._reading("error" if isinstance(start, Mapping) else "earliest", topic) as consumer:
            return LibrdkafkaReader(consumer, topic, start, until)

    def fetch_each(
        self, topic: str, places: Collection[Place], take: Take, timeout: float = FETCH_TIMEOUT_SECONDS
    ) -> None:
        with self._fetch_lock:
            if self._fetcher is None:
                self._fetcher = self._consumer("error")
            Fetch(self._fetcher, topic, places, take).run(timeout)

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

    @contextmanager
    def _reading(self, auto_offset_reset: str, topic: str) -> Iterator[Any]:
        """A consumer, which stays open unless this fails."""
        consumer = self._consumer(auto_offset_reset)
        try:
            yield consumer
        except KafkaException as error:
            consumer.close()
            raise translate(error.args[0], topic) from error
        except BaseException:
            consumer.close()
            raise

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
