"""Fetching records at given offsets."""

import time
from collections import deque
from collections.abc import Collection
from typing import Any

from kafka import TopicPartition, errors

from fluvial.kafka.errors import TransportUnavailable
from fluvial.kafka.interface import Place, Take
from fluvial.wire.errors import ChunkUnavailable

_POLL_MS = 500


class Fetch:
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
