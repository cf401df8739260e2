"""A Transport whose broker is a dictionary: the production interface, for tests without a broker.

Failures are part of it: `fail_produce_after` lets a number of records through and then loses the connection until
`heal`.
"""

import time
import zlib
from collections import Counter
from collections.abc import Collection, Sequence
from concurrent.futures import Future

from fluvial.kafka import (
    FETCH_TIMEOUT_SECONDS,
    Message,
    Place,
    Position,
    Start,
    TransportFailed,
    TransportUnavailable,
)
from fluvial.kafka.interface import Take, fetch_all
from fluvial.wire.errors import ChunkUnavailable


class MemoryTransport:
    """See `fluvial.kafka.interface.Transport`. topics: partitions by topic name."""

    def __init__(self, topics: dict[str, int]) -> None:
        self._logs: dict[str, list[list[Message]]] = {name: [[] for _ in range(n)] for name, n in topics.items()}
        self._left: int | None = None
        self._clock_ms = 1_000_000
        self.produced: Counter[str] = Counter()
        self.fetched: Counter[str] = Counter()

    def fail_produce_after(self, num_records: int) -> None:
        """After that many more records the broker is away."""
        self._left = num_records

    def heal(self) -> None:
        """The broker is back."""
        self._left = None

    def remove(self, topic: str, partition: int, offset: int) -> None:
        """What retention or compaction does to a record."""
        self._logs[topic][partition] = [m for m in self._logs[topic][partition] if m.offset != offset]

    def messages(self, topic: str) -> list[Message]:
        """Everything in a topic."""
        return [message for log in self._logs[topic] for message in log]

    def num_partitions(self, topic: str) -> int:
        return len(self._log(topic))

    def produce(self, topic: str, value: bytes, *, key: bytes, partition: int | None = None) -> Future[Position]:
        future: Future[Position] = Future()
        if self._left == 0:
            future.set_exception(TransportUnavailable("the broker is away"))
            return future
        if self._left is not None:
            self._left -= 1
        logs = self._log(topic)
        number = zlib.crc32(key) % len(logs) if partition is None else partition
        log = logs[number]
        self._clock_ms += 1
        offset = log[-1].offset + 1 if log else 0
        log.append(
            Message(
                topic=topic, partition=number, offset=offset, timestamp_ms=self._clock_ms, key=key, value=value or None
            )
        )
        self.produced[topic] += 1
        future.set_result(Position(partition=number, offset=offset, timestamp_ms=self._clock_ms))
        return future

    def read(self, topic: str, start: Start | int = Start.BEGINNING) -> "MemoryReader":
        return MemoryReader(self._log(topic), start)

    def fetch_each(
        self, topic: str, places: Collection[Place], take: Take, timeout: float = FETCH_TIMEOUT_SECONDS
    ) -> None:
        found = {(m.partition, m.offset): m.value for m in self.messages(topic)}
        for place in sorted(places):
            value = found.get(place)
            if value is None:
                raise ChunkUnavailable(f"{topic} {place}")
            self.fetched[topic] += 1
            take(place, value)

    def fetch(self, topic: str, places: Sequence[Place], timeout: float = FETCH_TIMEOUT_SECONDS) -> list[bytes]:
        return fetch_all(self, topic, places, timeout)

    def close(self) -> None:
        pass

    def _log(self, topic: str) -> list[list[Message]]:
        if topic not in self._logs:
            raise TransportFailed(f"topic {topic} does not exist")
        return self._logs[topic]


class MemoryReader:
    """See `fluvial.kafka.interface.Reader`."""

    def __init__(self, logs: list[list[Message]], start: Start | int) -> None:
        self._logs = logs
        self._ends = [_next_offset(log) for log in logs]
        if start is Start.END:
            self._next = list(self._ends)
        elif start is Start.BEGINNING:
            self._next = [0 for _ in logs]
        else:
            self._next = [
                next((m.offset for m in log if m.timestamp_ms >= start), end)
                for log, end in zip(logs, self._ends, strict=True)
            ]

    def poll(self, timeout: float) -> list[Message]:
        messages = []
        for number, log in enumerate(self._logs):
            messages += [m for m in log if m.offset >= self._next[number]]
            self._next[number] = max(self._next[number], _next_offset(log))
        if not messages:
            time.sleep(min(timeout, 0.001))
        return messages

    def caught_up(self) -> bool:
        return all(at >= end for at, end in zip(self._next, self._ends, strict=True))

    def close(self) -> None:
        pass


def _next_offset(log: list[Message]) -> int:
    return log[-1].offset + 1 if log else 0
