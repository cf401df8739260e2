"""The log that replay reads, in Kafka, with nothing but what a federation.json tells: no cluster is needed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

from fluvial.auditor.keys import Keys, read_keys
from fluvial.auditor.log import read_log
from fluvial.auditor.report import Findings
from fluvial.edge.manifests import read_manifests
from fluvial.identity.federation import Federation
from fluvial.kafka import Message, Transport, connect, read_all
from fluvial.wire.records import ModelManifest
from pipelines.replay.evidence import Position

_READ_SECONDS = 60.0
_CONNECTIONS = 2
"""Threads that hash and add while others copy what came."""
_GAP = 32
"""Records in between that are read through; what lies further on is gone to at once."""


@contextmanager
def kafka_log(federation: Federation) -> Iterator[KafkaLog]:
    """The log over as many connections as replay has threads. Raises TransportError when the broker is away."""
    with ExitStack() as ends:
        transports = []
        for number in range(_CONNECTIONS):
            transports.append(connect(federation.brokers, f"fluvial-replay-{number}"))
            ends.callback(transports[-1].close)
        yield KafkaLog(transports[0], federation, transports[1:])


class KafkaLog:
    """Implements `ReplayLog` over transports, which the caller closes. Raises TransportError when the broker is away.

    further: connections beside the first, so that partitions are read by as many threads.
    """

    def __init__(self, transport: Transport, federation: Federation, further: Sequence[Transport] = ()) -> None:
        self.transport, self._federation = transport, federation
        self._transports = (transport, *further)
        self._keys: Keys | None = None

    @property
    def scope(self) -> str:
        return self._federation.topics.scope

    def manifests(self, task: str) -> Mapping[int, ModelManifest]:
        """Manifests by version. Raises VerificationError for a record of the topic that nobody signed who may."""
        read = read_manifests(self.transport, self._federation)
        return {manifest.version: manifest for manifest in read if manifest.task == task}

    def public_keys(self, participant: str) -> Iterable[bytes]:
        """Keys that were enrolled, also those that only the audit log remembers, because a compacted topic forgets."""
        if self._keys is None:
            keys = bytes.fromhex(self._federation.registrar_key), bytes.fromhex(self._federation.operator_key)
            topics = self._federation.topics
            log = read_log(self._records(topics.audit))
            self._keys = read_keys(self._records(topics.registry), log, *keys, Findings(), topics.scope)
        return [life.public_key for life in self._keys.of(participant)]

    def envelopes(self, positions: Sequence[Position]) -> list[bytes]:
        return self._fetch(self._federation.topics.updates, positions)

    def each_update_chunk(self, positions: Collection[Position], take: Callable[[Position, bytes], None]) -> None:
        """Each partition forward, by one thread; as many threads as connections."""
        passes = [_passes(part) for part in _parts(positions, len(self._transports))]

        def read(transport: Transport, stretches: Sequence[Collection[Position]]) -> None:
            for stretch in stretches:
                transport.fetch_each(self._federation.topics.update_blobs, stretch, take)

        with ThreadPoolExecutor(len(self._transports)) as threads:
            for done in [threads.submit(read, *each) for each in zip(self._transports, passes, strict=True)]:
                done.result()

    def model_chunks(self, positions: Sequence[Position]) -> list[bytes]:
        return self._fetch(self._federation.topics.model_blobs, positions)

    def _fetch(self, topic: str, positions: Sequence[Position]) -> list[bytes]:
        return self.transport.fetch(topic, positions) if positions else []

    def _records(self, topic: str) -> Iterator[Message]:
        return read_all(self.transport, topic, _READ_SECONDS)


def _parts(positions: Collection[Position], count: int) -> list[list[Position]]:
    """The positions in so many parts, no partition in two of them."""
    parts: list[list[Position]] = [[] for _ in range(count)]
    for partition, offset in sorted(positions):
        parts[partition % count].append((partition, offset))
    return parts


def _passes(positions: Sequence[Position]) -> list[list[Position]]:
    """Sorted positions in passes, of each partition one stretch in a pass: between stretches lies what is not wanted,
    too much of it to read through."""
    passes: defaultdict[int, list[Position]] = defaultdict(list)
    number, before = 0, (-1, -1)
    for partition, offset in positions:
        if partition != before[0]:
            number = 0
        elif offset - before[1] > _GAP:
            number += 1
        passes[number].append((partition, offset))
        before = partition, offset
    return [passes[each] for each in sorted(passes)]
