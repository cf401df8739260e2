"""How a broker is reached: the interface that every client of this package implements.

`recovering` implements it over two client libraries: `kafka_python` (pure Python, always installed) and `librdkafka`
(several times the throughput, used where the package confluent-kafka is installed). One test suite runs over both.

What an implementation guarantees:
* `produce` is acknowledged by all in-sync replicas, idempotent within one process, and its Future resolves to where the
  record lies.
* A `Reader` sees committed records only, unless the connection was made to show all; it needs no consumer group, and
  lives through broker restarts: while the broker is away, `poll` returns nothing.
* What a new connection cures needs no help of the caller's: a producer that gave up for good, a certificate or password
  that was renewed in its file. What the broker refuses is told at once, with what to do about it.
* `fetch` and `fetch_each` return the records at exactly the offsets asked for, or raise; a record that is not there,
  because it was removed or because the partition ends before it, is reported at once.
* A Transport may be shared by threads; a Reader belongs to one.

What it does not do: it decodes nothing, verifies nothing and never creates a topic.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Protocol

MAX_REQUEST_BYTES = 8 << 20
"""Largest produce request; a tensor chunk has at most 1 MiB, so that a few travel together."""

FETCH_TIMEOUT_SECONDS = 60.0
"""Default of the longest time without a record while one fetches."""

Place = tuple[int, int]
"""(partition, offset) of a record."""

Take = Callable[[Place, bytes], None]
"""What becomes of a fetched record."""


class Start(Enum):
    """Where a Reader begins when it is not given a time."""

    BEGINNING = "beginning"
    END = "end"


class End(Enum):
    """Where a Reader stops when it is not given offsets."""

    PRESENT = "present"
    """Where the topic ends when the reader is opened."""


Until = Mapping[int, int] | End
"""By partition, the offset before which a Reader stops; or where that is to be found."""


class Bounds(NamedTuple):
    """What a partition holds. first: the first offset that is kept. end: the one after the last committed record, below
    every transaction that is still open."""

    first: int
    end: int


Beginning = Start | int | Mapping[int, int] | Callable[[Mapping[int, Bounds]], Mapping[int, int]]
"""Where a Reader begins: also at a broker time in milliseconds, at offsets by partition, or at those that the caller
chooses when it is told what each partition holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where an acknowledged record lies. timestamp_ms: broker time, -1 where the broker did not tell."""

    partition: int
    offset: int
    timestamp_ms: int


class Message(NamedTuple):
    """One record of a topic. value: None for a tombstone. timestamp_ms: broker time. A tuple, because it is made in a
    third of a dataclass's time, and a log has many."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}@{self.offset}"


class Reader(Protocol):
    """All partitions of a topic from a starting point onwards, each partition in order."""

    def poll(self, timeout: float) -> list[Message]:
        """Records that have arrived, after at most `timeout` seconds; empty when there are none or the broker is away.

        Raises TransportFailed for what waiting does not cure: no such topic, no permission.
        """
        ...

    def caught_up(self) -> bool:
        """Whether everything has been returned that was there when the reader was opened, or lies before `until`."""
        ...

    def close(self) -> None:
        """Releases the connection."""
        ...


class Transport(Protocol):
    """A connection to the federation's brokers."""

    def num_partitions(self, topic: str) -> int:
        """Partitions of a topic. Raises TransportFailed, TransportUnavailable."""
        ...

    def produce(self, topic: str, value: bytes, *, key: bytes, partition: int | None = None) -> Future[Position]:
        """Sends a record; without a partition the key chooses it (murmur2, as Java does). Waits while much is unsent.

        The Future raises TransportFailed or TransportUnavailable; after the latter the record may or may not have been
        written.
        """
        ...

    def bounds(self, topic: str) -> Mapping[int, Bounds]:
        """What each partition holds now. Raises TransportFailed, TransportUnavailable."""
        ...

    def offsets_at(self, topic: str, timestamp_ms: int) -> Mapping[int, int]:
        """By partition the first offset of this broker time or later; the end where there is none.

        Raises TransportFailed, TransportUnavailable.
        """
        ...

    def read(
        self,
        topic: str,
        start: Beginning = Start.BEGINNING,
        until: Until | None = None,
    ) -> Reader:
        """Opens a reader.

        start: with a broker time the records from then on; with offsets by partition, named or chosen, those partitions
        alone, and a record that was removed meanwhile is an error. until: by partition, the offset before which the
        reader stops; a partition that is not named is not read. None: it goes on for ever. Raises
        TransportFailed, TransportUnavailable.
        """
        ...

    def fetch_each(
        self, topic: str, places: Collection[Place], take: Take, timeout: float = FETCH_TIMEOUT_SECONDS
    ) -> None:
        """Gives each of the distinct places' values to `take` as it arrives, in the order of its partition.

        Each partition is read forward once, and no more is held than the client prefetches. Raises ChunkUnavailable
        when a record is not there (retention, compaction), TransportUnavailable when nothing has come for `timeout`
        seconds, and what `take` raises.
        """
        ...

    def fetch(self, topic: str, places: Sequence[Place], timeout: float = FETCH_TIMEOUT_SECONDS) -> list[bytes]:
        """The values at places, in the order asked for. Raises as `fetch_each`."""
        ...

    def close(self) -> None:
        """Sends what is still buffered, for a few seconds at most, and disconnects."""
        ...


def fetch_all(transport: Transport, topic: str, places: Sequence[Place], timeout: float) -> list[bytes]:
    """`Transport.fetch` by means of `fetch_each`."""
    found: dict[Place, bytes] = {}
    transport.fetch_each(topic, set(places), found.__setitem__, timeout)
    return [found[place] for place in places]
