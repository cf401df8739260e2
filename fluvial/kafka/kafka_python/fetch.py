"""Fetching records at given offsets."""

import time
from typing import Any

from kafka import TopicPartition, errors

from fluvial.kafka.backend import Missing
from fluvial.kafka.errors import TransportUnavailable
from fluvial.kafka.interface import Take
from fluvial.kafka.kafka_python.errors import translated
from fluvial.wire.errors import ChunkUnavailable

_POLL_MS = 500


class KafkaPythonFetcher:
    """See `fluvial.kafka.backend.BackendFetcher`."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer

    def fetch(self, topic: str, missing: Missing, take: Take, timeout: float) -> None:
        with translated(topic):
            _Fetch(self._consumer, topic, missing, take).run(timeout)

    def close(self) -> None:
        self._consumer.close(autocommit=False)


class _Fetch:
    """One fetch: reads each partition forward from its first wanted offset, until all are found."""

    def __init__(self, consumer: Any, topic: str, missing: Missing, take: Take) -> None:
        self._consumer = consumer
        self._topic = topic
        self._take = take
        self._missing = missing

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
        partitions = [self._at(number) for number in self._missing]
        self._consumer.assign(partitions)
        # A partition that an earlier fetch paused stays paused when it is assigned again.
        self._consumer.resume(*partitions)
        for number, left in self._missing.items():
            self._consumer.seek(self._at(number), left[0])

    def _poll(self) -> bool:
        """Says whether wanted records came."""
        try:
            batches = self._consumer.poll(timeout_ms=_POLL_MS)
        except errors.OffsetOutOfRangeError as error:
            raise ChunkUnavailable(f"{self._topic}: {error}") from error
        return sum(self._handle(record) for records in batches.values() for record in records) > 0

    def _handle(self, record: Any) -> bool:
        """Says whether the record was wanted."""
        number = record.partition
        left = self._missing.get(number)
        if not left or record.offset < left[0]:
            return False
        if record.offset > left[0] or record.value is None:
            raise self._unavailable(number)
        self._take((number, left.popleft()), bytes(record.value))
        if not left:
            del self._missing[number]
            self._consumer.pause(self._at(number))
        return True

    def _check_ends(self) -> None:
        """Nothing came: because the broker is away, because control records were read, or because there is nothing."""
        ends = self._consumer.end_offsets([self._at(number) for number in self._missing])
        for number, left in self._missing.items():
            position = self._consumer.position(self._at(number), timeout_ms=_POLL_MS) or 0
            if left[0] >= ends[self._at(number)] or left[0] < position:
                raise self._unavailable(number)

    def _at(self, number: int) -> Any:
        return TopicPartition(self._topic, number)

    def _unavailable(self, number: int) -> ChunkUnavailable:
        return ChunkUnavailable(f"{self._topic}, partition {number}, offset {self._missing[number][0]} is not there")
