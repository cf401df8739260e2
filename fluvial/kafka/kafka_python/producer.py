"""Sending records."""

from concurrent.futures import Future
from typing import Any

import kafka

from fluvial.kafka.backend import acknowledge
from fluvial.kafka.errors import TransportFailed, TransportUnavailable
from fluvial.kafka.interface import Position
from fluvial.kafka.kafka_python.errors import translate, translated
from fluvial.kafka.kafka_python.opening import opening

_CLOSE_SECONDS = 5.0


class KafkaPythonProducer:
    """See `fluvial.kafka.backend.BackendProducer`.

    After a record that the broker refused, an idempotent producer of kafka-python gives the same answer to all that
    follow, whatever their topic. So it then counts as lost.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        self._is_lost = False
        with opening("") as network:
            self._producer: Any = kafka.KafkaProducer(**settings, kafka_client=network)

    def num_partitions(self, topic: str) -> int:
        with translated(topic):
            return len(self._producer.partitions_for(topic))

    def produce(self, topic: str, value: bytes, key: bytes, partition: int | None) -> Future[Position]:
        future: Future[Position] = Future()
        try:
            with translated(topic):
                sent = self._producer.send(topic, value, key=key, partition=partition)
        except (TransportFailed, TransportUnavailable) as error:
            future.set_exception(error)
            return future

        def fail(error: BaseException) -> None:
            self._is_lost = self._is_lost or not getattr(error, "retriable", False)
            future.set_exception(translate(error, topic))

        sent.add_callback(
            lambda metadata: acknowledge(future, topic, metadata.partition, metadata.offset, metadata.timestamp)
        )
        sent.add_errback(fail)
        return future

    def is_lost(self) -> bool:
        return self._is_lost

    def close(self) -> None:
        self._producer.close(timeout=_CLOSE_SECONDS)
