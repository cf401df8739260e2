"""The transport over kafka-python 3: pure Python, so it runs wherever the client installs.

Options follow the kafka-python 3.0 documentation: acks="all" and idempotence are its defaults and stand here because
the ordering rule (an envelope only after its chunks) rests on them. There is no `buffer_memory`; what is unacknowledged
at once is bounded by the caller (`upload.py`).
"""

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import kafka

from fluvial.identity.brokers import Brokers
from fluvial.kafka.errors import TransportFailed, TransportUnavailable
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
from fluvial.kafka.kafka_python.errors import translate, translated
from fluvial.kafka.kafka_python.fetch import Fetch
from fluvial.kafka.kafka_python.reader import KafkaPythonReader, bounds

_CLOSE_SECONDS = 5.0


class KafkaPythonTransport:
    """See `fluvial.kafka.interface.Transport`."""

    def __init__(self, brokers: Brokers, client_id: str) -> None:
        self._settings = brokers.kafka_python(client_id)
        self._lock = threading.Lock()
        self._fetch_lock = threading.Lock()
        self._producer: Any = None
        self._fetcher: Any = None

    def num_partitions(self, topic: str) -> int:
        with translated(topic):
            return len(self._connected_producer().partitions_for(topic))

    def produce(self, topic: str, value: bytes, *, key: bytes, partition: int | None = None) -> Future[Position]:
        future: Future[Position] = Future()
        try:
            with translated(topic):
                sent = self._connected_producer().send(topic, value, key=key, partition=partition)
        except (TransportFailed, TransportUnavailable) as error:
            future.set_exception(error)
            return future
        sent.add_callback(
            lambda metadata: future.set_result(
                Position(partition=metadata.partition, offset=metadata.offset, timestamp_ms=metadata.timestamp)
            )
        )
        sent.add_errback(lambda error: future.set_exception(translate(error, topic)))
        return future

    def bounds(self, topic: str) -> Mapping[int, Bounds]:
        with self._reading("earliest", topic) as consumer:
            held = bounds(consumer, topic)
            consumer.close(autocommit=False)
        return held

    def read(
        self,
        topic: str,
        start: Start | int | Mapping[int, int] = Start.BEGINNING,
        until: Mapping[int, int] | None = None,
    ) -> Reader:
        # Whoever names offsets is not served others.
        with self._reading("none" if isinstance(start, Mapping) else "earliest", topic) as consumer:
            return KafkaPythonReader(consumer, topic, start, until)

    def fetch_each(
        self, topic: str, places: Collection[Place], take: Take, timeout: float = FETCH_TIMEOUT_SECONDS
    ) -> None:
        with self._fetch_lock, translated(topic):
            if self._fetcher is None:
                self._fetcher = self._consumer("none")
            Fetch(self._fetcher, topic, places, take).run(timeout)

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

    @contextmanager
    def _reading(self, auto_offset_reset: str, topic: str) -> Iterator[Any]:
        """A consumer, which stays open unless this fails."""
        with translated(topic):
            consumer = self._consumer(auto_offset_reset)
            try:
                yield consumer
            except BaseException:
                consumer.close(autocommit=False)
                raise

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
