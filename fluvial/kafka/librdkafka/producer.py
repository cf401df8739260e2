"""Sending records. Delivery reports come only when somebody polls: a thread of the producer does."""

import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from confluent_kafka import KafkaException

from fluvial.identity.brokers import Brokers
from fluvial.kafka.backend import acknowledge
from fluvial.kafka.errors import ConnectionLost, TransportUnavailable
from fluvial.kafka.interface import Position
from fluvial.kafka.librdkafka import clients
from fluvial.kafka.librdkafka.errors import Troubles, translate
from fluvial.kafka.librdkafka.reader import CALL_SECONDS, partitions

_CLOSE_SECONDS = 5.0
_FULL_SECONDS = 0.002
_POLL_SECONDS = 1.0  # it ends as soon as there is a report
_RETRY_SECONDS = 0.1  # a poll that fails does so at once
_PARTITIONS_SECONDS = 300.0
"""How long a topic's number of partitions is believed, as both client libraries believe their brokers' metadata."""


class LibrdkafkaProducer:
    """See `fluvial.kafka.backend.BackendProducer`."""

    def __init__(self, brokers: Brokers, client_id: str, settings: dict[str, Any]) -> None:
        self._troubles = Troubles()
        self._producer: Any = clients.producer(brokers, client_id, {**settings, "error_cb": self._troubles})
        self._partitions: dict[str, tuple[int, float]] = {}
        self._met: set[str] = set()
        self._closing = threading.Event()
        self._reports = threading.Thread(target=self._serve_reports, name="fluvial-delivery", daemon=True)
        self._reports.start()

    def num_partitions(self, topic: str) -> int:
        known, until = self._partitions.get(topic, (0, 0.0))
        if time.monotonic() < until:
            return known
        asked = len(partitions(self._producer, topic, self._troubles))
        self._partitions[topic] = asked, time.monotonic() + _PARTITIONS_SECONDS
        self._met.add(topic)
        return asked

    def produce(self, topic: str, value: bytes, key: bytes, partition: int | None) -> Future[Position]:
        future: Future[Position] = Future()
        if topic not in self._met:
            # Also before it asks for its number, which it does twice a second until a connection is there.
            clients.meet(self._producer, topic)
            self._met.add(topic)

        def report(error: Any, message: Any) -> None:
            if error is not None:
                future.set_exception(self._failure(error, topic))
            else:
                _, timestamp_ms = message.timestamp()
                acknowledge(future, topic, message.partition(), message.offset(), timestamp_ms)

        deadline = time.monotonic() + CALL_SECONDS
        while True:
            try:
                self._producer.produce(
                    topic, value, key, partition=-1 if partition is None else partition, on_delivery=report
                )
            except BufferError as error:
                # The queue is full: the broker is slower than the caller, or away.
                if time.monotonic() < deadline:
                    time.sleep(_FULL_SECONDS)
                    continue
                future.set_exception(TransportUnavailable(str(error)))
            except KafkaException as error:
                future.set_exception(self._failure(error.args[0], topic))
            return future

    def is_lost(self) -> bool:
        return self._troubles.loss is not None

    def close(self) -> None:
        self._closing.set()  # the thread ends with its poll, for which nobody needs to wait
        with suppress(KafkaException):
            self._producer.flush(_CLOSE_SECONDS)
        self._give_up()

    def _failure(self, error: Any, topic: str) -> Exception:
        failure = translate(error, topic, self._troubles)
        if isinstance(failure, ConnectionLost):
            self._troubles.loss = str(failure)
        return failure

    def _serve_reports(self) -> None:
        while not self._closing.is_set():
            try:
                self._producer.poll(_POLL_SECONDS)
            except KafkaException as error:  # it gave up for good
                self._troubles(error.args[0])
                self._closing.wait(_RETRY_SECONDS)
            if self._troubles.refused:
                self._give_up()

    def _give_up(self) -> None:
        """What is unsent fails now: it would be waited for in vain."""
        with suppress(KafkaException):
            self._producer.purge()
            self._producer.poll(0)
