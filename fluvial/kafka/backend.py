"""What one client library brings: producers, readers and fetchers, each with a connection of its own.

None of them outlives what ends its connection: it then raises ConnectionLost, and `recovering` makes a new one.
"""

from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Protocol

from fluvial.kafka.errors import TransportUnavailable
from fluvial.kafka.interface import Beginning, Bounds, Message, Position, Start, Take, Until

MAX_HEADERS = 64
"""Of a record whose headers are looked at; those of our records are a few."""

Missing = dict[int, deque[int]]
"""By partition, the offsets that are yet to be fetched, in their order; emptied on the way."""


def first_offsets(
    start: Beginning, held: Mapping[int, Bounds], at_time: Callable[[int], Mapping[int, int]]
) -> dict[int, int]:
    """By partition, where a reader begins. held: what the partitions hold. at_time: asks the broker for the offsets of
    a time in ms since the epoch."""
    if start is Start.BEGINNING:
        return {number: first for number, (first, _) in held.items()}
    if start is Start.END:
        return {number: end for number, (_, end) in held.items()}
    if isinstance(start, Mapping):
        return dict(start)
    return dict(start(held) if callable(start) else at_time(start))


def acknowledge(future: Future[Position], topic: str, partition: int, offset: int | None, timestamp_ms: int) -> None:
    """Settle what `produce` has returned. offset: none, or negative, where a record that was sent again after a timeout
    is older than the last five batches, of which the broker remembers where they lie."""
    if offset is None or offset < 0:
        error = f"{topic}: the broker has a record that was sent twice, and no longer says where it lies: send it again"
        future.set_exception(TransportUnavailable(error))
    else:
        future.set_result(Position(partition=partition, offset=offset, timestamp_ms=timestamp_ms))


class BackendProducer(Protocol):
    """Sends records. Threads may share it."""

    def num_partitions(self, topic: str) -> int:
        """Raises TransportFailed, TransportUnavailable."""
        ...

    def produce(self, topic: str, value: bytes, key: bytes, partition: int | None) -> Future[Position]:
        """See `Transport.produce`."""
        ...

    def is_lost(self) -> bool:
        """Whether whatever it is still given will fail."""
        ...

    def close(self) -> None:
        """Sends what is still buffered, for a few seconds at most."""
        ...


class BackendReader(Protocol):
    """See `Reader`; `poll` also raises ConnectionLost."""

    def poll(self, timeout: float) -> list[Message]:
        """Records that have arrived."""
        ...

    def caught_up(self) -> bool:
        """Whether the ends are reached that were there at its start."""
        ...

    def ends(self) -> Mapping[int, int]:
        """By partition, where it ended at the reader's start, or what `until` named."""
        ...

    def positions(self) -> Mapping[int, int]:
        """By partition that is read, the offset behind the last record returned."""
        ...

    def close(self) -> None:
        """Releases the connection."""
        ...


class BackendFetcher(Protocol):
    """Fetches records at given offsets; one call at a time."""

    def fetch(self, topic: str, missing: Missing, take: Take, timeout: float) -> None:
        """See `Transport.fetch_each`; also raises ConnectionLost."""
        ...

    def close(self) -> None:
        """Releases the connection."""
        ...


class Backend(Protocol):
    """A client library. Each call makes a client of its own, and reads certificates and passwords anew.

    All raise TransportFailed, TransportUnavailable.
    """

    def producer(self) -> BackendProducer:
        """Does not wait for a connection where the library can do without."""
        ...

    def reader(self, topic: str, start: Beginning, until: Until | None) -> BackendReader:
        """See `Transport.read`."""
        ...

    def fetcher(self) -> BackendFetcher:
        """A fetcher."""
        ...

    def bounds(self, topic: str) -> Mapping[int, Bounds]:
        """See `Transport.bounds`."""
        ...

    def offsets_at(self, topic: str, timestamp_ms: int) -> Mapping[int, int]:
        """See `Transport.offsets_at`."""
        ...
