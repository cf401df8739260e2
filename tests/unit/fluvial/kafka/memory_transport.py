"""A Transport whose broker is a dictionary: the production interface, for tests without a broker.

Failures are part of it: `fail_produce_after` lets a number of records through and then loses the connection until
`heal`.
"""

import time
import zlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future

from fluvial.kafka import (
    FETCH_TIMEOUT_SECONDS,
    Bounds,
    End,
    Message,
    Place,
    Position,
    Start,
    TransportFailed,
    TransportUnavailable,
)
from fluvial.kafka.interface import Beginning, Take, Until, fetch_all
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

    def put_beside(self, topic: str, place: Position, headers: tuple[tuple[str, bytes], ...]) -> None:
        """Headers of a record."""
        log = self._logs[topic][place.partition]
        log[:] = [each._replace(headers=headers) if each.offset == place.offset else each for each in log]

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

    def bounds(self, topic: str) -> Mapping[int, Bounds]:
        return {
            number: Bounds(log[0].offset if log else 0, _next_offset(log))
            for number, log in enumerate(self._log(topic))
        }

    def offsets_at(self, topic: str, timestamp_ms: int) -> Mapping[int, int]:
        return {
            number: next((each.offset for each in log if each.timestamp_ms >= timestamp_ms), _next_offset(log))
            for number, log in enumerate(self._log(topic))
        }

    def read(
        self,
        topic: str,
        start: Beginning = Start.BEGINNING,
        until: Until | None = None,
    ) -> "MemoryReader":
        return MemoryReader(self._log(topic), start, until)

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

    def __init__(self, logs: list[list[Message]], start: Beginning, until: Until | None) -> None:
        self._logs = logs
        ends = {number: _next_offset(log) for number, log in enumerate(logs)}
        self._until = ends if until is End.PRESENT else until
        if isinstance(start, Mapping):
            self._next = dict(start)
        elif callable(start):
            self._next = dict(start({number: Bounds(0, end) for number, end in ends.items()}))
        elif start is Start.END:
            self._next = dict(ends)
        elif start is Start.BEGINNING:
            self._next = dict.fromkeys(ends, 0)
        else:
            self._next = {
                number: next((m.offset for m in log if m.timestamp_ms >= start), ends[number])
                for number, log in enumerate(logs)
            }
        self._ends = ends if self._until is None else self._until

    def poll(self, timeout: float) -> list[Message]:
        messages = []
        for number, at in self._next.items():
            stop = _next_offset(self._logs[number]) if self._until is None else self._until.get(number, 0)
            messages += [m for m in self._logs[number] if at <= m.offset < stop]
            self._next[number] = max(at, stop)
        if not messages:
            time.sleep(min(timeout, 0.001))
        return messages

    def caught_up(self) -> bool:
        return all(at >= self._ends.get(number, 0) for number, at in self._next.items())

    def close(self) -> None:
        pass


def _next_offset(log: list[Message]) -> int:
    return log[-1].offset + 1 if log else 0
