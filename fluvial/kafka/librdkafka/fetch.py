"""Fetching records at given offsets."""

import time
from typing import Any

from confluent_kafka import KafkaError, TopicPartition

from fluvial.kafka.backend import Missing
from fluvial.kafka.errors import TransportFailed, TransportUnavailable
from fluvial.kafka.interface import Take
from fluvial.kafka.librdkafka import clients
from fluvial.kafka.librdkafka.errors import Troubles, translate
from fluvial.kafka.librdkafka.reader import arrived
from fluvial.wire.errors import ChunkUnavailable


class LibrdkafkaFetcher:
    """See `fluvial.kafka.backend.BackendFetcher`."""

    def __init__(self, consumer: Any, troubles: Troubles) -> None:
        self._consumer, self._troubles = consumer, troubles
        self._met: set[str] = set()

    def fetch(self, topic: str, missing: Missing, take: Take, timeout: float) -> None:
        if topic not in self._met:
            clients.meet(self._consumer, topic)
            self._met.add(topic)
        _Fetch(self._consumer, self._troubles, topic, missing, take).run(timeout)

    def close(self) -> None:
        self._consumer.close()


class _Fetch:
    """One fetch: reads each partition forward from its first wanted offset, until all are found."""

    def __init__(self, consumer: Any, troubles: Troubles, topic: str, missing: Missing, take: Take) -> None:
        self._consumer = consumer
        self._troubles = troubles
        self._topic = topic
        self._take = take
        self._missing = missing

    def run(self, timeout: float) -> None:
        self._consumer.assign([TopicPartition(self._topic, number, left[0]) for number, left in self._missing.items()])
        try:
            deadline = time.monotonic() + timeout
            while self._missing:
                self._troubles.check()
                for record in arrived(self._consumer, 0.5):
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
        elif isinstance(failure := translate(error, self._topic, self._troubles), TransportFailed):
            raise failure

    def _unavailable(self, number: int) -> ChunkUnavailable:
        return ChunkUnavailable(f"{self._topic}, partition {number}, offset {self._missing[number][0]} is not there")
