"""A transport over another one, for those that do something of their own on the way."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future

from fluvial.kafka import FETCH_TIMEOUT_SECONDS, Bounds, Place, Position, Reader, Start, Transport
from fluvial.kafka.interface import Beginning, Take, Until


class ForwardingTransport:
    """A Transport that does all by another one, which `close` closes."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def produce(self, topic: str, value: bytes, *, key: bytes, partition: int | None = None) -> Future[Position]:
        return self._transport.produce(topic, value, key=key, partition=partition)

    def num_partitions(self, topic: str) -> int:
        return self._transport.num_partitions(topic)

    def bounds(self, topic: str) -> Mapping[int, Bounds]:
        return self._transport.bounds(topic)

    def offsets_at(self, topic: str, timestamp_ms: int) -> Mapping[int, int]:
        return self._transport.offsets_at(topic, timestamp_ms)

    def read(
        self,
        topic: str,
        start: Beginning = Start.BEGINNING,
        until: Until | None = None,
    ) -> Reader:
        return self._transport.read(topic, start, until)

    def fetch_each(
        self, topic: str, places: Collection[Place], take: Take, timeout: float = FETCH_TIMEOUT_SECONDS
    ) -> None:
        self._transport.fetch_each(topic, places, take, timeout)

    def fetch(self, topic: str, places: Sequence[Place], timeout: float = FETCH_TIMEOUT_SECONDS) -> list[bytes]:
        return self._transport.fetch(topic, places, timeout)

    def close(self) -> None:
        self._transport.close()
