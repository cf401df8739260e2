"""How the edge reaches a broker: the interface that every transport implements.

Two implementations stand behind the Protocols below: `kafka_python` (pure Python, always installed) and `confluent`
(librdkafka, several times the throughput, used where the package confluent-kafka is installed). One test suite runs
over both.

What an implementation guarantees:
* `produce` is acknowledged by all in-sync replicas, idempotent within one process, and its Future resolves to where the
  record lies.
* A `Reader` sees committed records only, needs no consumer group, and lives through broker restarts: while the broker
  is away, `poll` returns nothing.
* `fetch` returns the records at exactly the offsets asked for, or raises.
* A Transport may be shared by threads; a Reader belongs to one.

What it does not do: it decodes nothing, verifies nothing and never creates a topic.
"""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from fluvial.identity.federation import Security

MAX_REQUEST_BYTES = 8 << 20
"""Largest produce request; a tensor chunk has at most 1 MiB, so that a few travel together."""

FETCH_TIMEOUT_SECONDS = 60.0
"""Default deadline of one `fetch`."""


class Start(Enum):
    """Where a Reader begins when it is not given a time."""

    BEGINNING = "beginning"
    END = "end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where an acknowledged record lies. timestamp_ms: broker time, -1 where the broker did not tell."""

    partition: int
    offset: int
    timestamp_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One record of a topic. value: None for a tombstone. timestamp_ms: broker time."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None


class Reader(Protocol):
    """All partitions of a topic from a starting point onwards, each partition in order."""

    def poll(self, timeout: float) -> list[Message]:
        """Records that have arrived, after at most `timeout` seconds; empty when there are none or the broker is away.

        Raises TransportFailed for what waiting does not cure: no such topic, no permission.
        """
        ...

    def caught_up(self) -> bool:
        """Whether everything that was in the topic when the reader was opened has been returned."""
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
        """Sends a record; without a partition the key chooses it (murmur2, as Java does).

        The Future raises TransportFailed or TransportUnavailable; after the latter the record may or may not have been
        written.
        """
        ...

    def read(self, topic: str, start: Start | int = Start.BEGINNING) -> Reader:
        """Opens a reader.

        Start: or a broker time in milliseconds, for the records from then on. Raises TransportFailed,
        TransportUnavailable.
        """
        ...

    def fetch(
        self, topic: str, positions: Sequence[tuple[int, int]], timeout: float = FETCH_TIMEOUT_SECONDS
    ) -> list[bytes]:
        """The values at (partition, offset), in the order asked for.

        Raises ChunkUnavailable when a record is gone (retention, compaction) and TransportUnavailable when `timeout`
        seconds have passed.
        """
        ...

    def close(self) -> None:
        """Sends what is still buffered, for a few seconds at most, and disconnects."""
        ...


def sasl_password(security: Security) -> str:
    """The password in the file that the federation names.

    Raises ValueError when it names none, OSError when it cannot be read.
    """
    if security.sasl_password_file is None:
        raise ValueError("security.sasl_password_file is needed for SASL")
    return security.sasl_password_file.read_text().strip()
