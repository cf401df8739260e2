"""The log that replay reads, in Kafka, with nothing but what a federation.json tells: no cluster is needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from fluvial.auditor.log import read_log
from fluvial.auditor.participants import read_public_keys
from fluvial.auditor.reader import TopicRecord
from fluvial.auditor.report import Problems
from fluvial.edge.compacted import read_to_end
from fluvial.edge.models import read_manifests
from fluvial.edge.transport import Transport
from fluvial.identity.federation import Federation
from fluvial.wire.records import ModelManifest

_READ_SECONDS = 60.0


class KafkaLog:
    """Implements `ReplayLog` over a transport, which the caller closes. Raises TransportError when it is away."""

    def __init__(self, transport: Transport, federation: Federation) -> None:
        self._transport, self._federation = transport, federation
        self._enrolled: Mapping[str, set[bytes]] | None = None
        self._former: Mapping[str, set[bytes]] | None = None

    def manifests(self, task: str) -> Mapping[int, ModelManifest]:
        """Manifests by version. Raises VerificationError for a record of the topic that nobody signed who may."""
        read = read_manifests(self._transport, self._federation)
        return {manifest.version: manifest for manifest in read if manifest.task == task}

    def public_keys(self, participant: str) -> Iterable[bytes]:
        """Keys in the registry; then those that only the audit log remembers, because a compacted topic forgets."""
        if self._enrolled is None:
            keys = bytes.fromhex(self._federation.registrar_key), bytes.fromhex(self._federation.operator_key)
            self._enrolled = read_public_keys(self._records(self._federation.topics.registry), *keys, Problems())
        yield from self._enrolled.get(participant, ())
        if self._former is None:
            self._former = read_log(self._records(self._federation.topics.audit), Problems()).public_keys
        yield from self._former.get(participant, ())

    def envelopes(self, positions: Sequence[tuple[int, int]]) -> list[bytes]:
        return self._fetch(self._federation.topics.updates, positions)

    def update_chunks(self, positions: Sequence[tuple[int, int]]) -> list[bytes]:
        return self._fetch(self._federation.topics.update_blobs, positions)

    def model_chunks(self, positions: Sequence[tuple[int, int]]) -> list[bytes]:
        return self._fetch(self._federation.topics.model_blobs, positions)

    def _fetch(self, topic: str, positions: Sequence[tuple[int, int]]) -> list[bytes]:
        return self._transport.fetch(topic, positions) if positions else []

    def _records(self, topic: str) -> Iterator[TopicRecord]:
        reader = self._transport.read(topic)
        try:
            for message in read_to_end(reader, _READ_SECONDS):
                yield TopicRecord(
                    topic=message.topic,
                    partition=message.partition,
                    offset=message.offset,
                    timestamp_ms=message.timestamp_ms,
                    key=message.key,
                    value=message.value,
                )
        finally:
            reader.close()
