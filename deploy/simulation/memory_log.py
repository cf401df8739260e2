"""The topics of a federation in memory: envelopes, chunks of updates and of models, manifests.

Replay reads it as it reads Kafka (`pipelines.replay.ReplayLog`). Offsets count up. What nobody can ask for again is
forgotten, as Kafka does it: chunks of models when their slot is used again, updates where the caller says so.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from hashlib import sha256

from fluvial.encoding.base import Bytes
from fluvial.wire.errors import ChunkUnavailable
from fluvial.wire.layout import chunk_partition
from fluvial.wire.records import AcceptedUpdate, ChunkReference, ModelManifest

Position = tuple[int, int]


class _Topic:
    """Records by their place."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._next: dict[int, int] = {}
        self._values: dict[Position, bytes] = {}

    def append(self, partition: int, value: bytes) -> Position:
        offset = self._next.get(partition, 0)
        self._next[partition] = offset + 1
        self._values[partition, offset] = value
        return partition, offset

    def read(self, position: Position) -> bytes:
        if position not in self._values:
            raise ChunkUnavailable(f"{self._name}, partition {position[0]}, offset {position[1]} is gone")
        return self._values[position]

    def __len__(self) -> int:
        return len(self._values)

    def forget(self, position: Position) -> None:
        self._values.pop(position, None)

    def put(self, position: Position, value: bytes) -> None:
        self._values[position] = value


class MemoryLog:
    """See the module. Also the writer of the shards' chunks. public_keys: of the participants, by name."""

    def __init__(self, partitions: int = 1) -> None:
        self.partitions = partitions
        self.published: dict[int, ModelManifest] = {}
        self.keys: dict[str, bytes] = {}
        self._updates, self._update_chunks, self._model_chunks = map(_Topic, ("updates", "update-blobs", "model-blobs"))
        self._slots: dict[bytes, Position] = {}
        self._sent: dict[int, Position] = {}

    @property
    def num_chunks(self) -> tuple[int, int]:
        """Chunks of updates and of models that are kept."""
        return len(self._update_chunks), len(self._model_chunks)

    def append_update(self, raw: bytes) -> Position:
        """A sealed update."""
        return self._updates.append(0, raw)

    def append_update_chunks(self, task: str, chunks: Iterable[Bytes]) -> tuple[ChunkReference, ...]:
        """The chunks of a delta, each in the partition of its shard."""
        return tuple(
            _reference(self._update_chunks.append(chunk_partition(task, index, self.partitions), bytes(chunk)), chunk)
            for index, chunk in enumerate(chunks)
        )

    def append_model(self, task: str, version: int, chunks: Iterable[Bytes], kept: int) -> tuple[ChunkReference, ...]:
        """The chunks of a model that no round has made."""
        references = []
        for index, chunk in enumerate(chunks):
            raw = bytes(chunk)
            self.send(index, 0, f"{task}/{index}/{version % kept}".encode(), raw)
            references.append(_reference(self.flush()[index], raw))
        return tuple(references)

    def put_update_chunk(self, position: Position, raw: bytes) -> None:
        """A chunk where another log has it."""
        self._update_chunks.put(position, raw)

    def update_chunk(self, reference: ChunkReference) -> bytes:
        """Raises ChunkUnavailable, as all that reads."""
        return self._update_chunks.read((reference.partition, reference.offset))

    def model_chunk(self, reference: ChunkReference) -> bytes:
        return self._model_chunks.read((reference.partition, reference.offset))

    def forget(self, update: AcceptedUpdate) -> None:
        """Let an update go that nobody will read again."""
        self._updates.forget((update.source_partition, update.source_offset))
        for chunk in update.chunks:
            self._update_chunks.forget((chunk.partition, chunk.offset))

    def send(self, index: int, partition: int, key: bytes, chunk: bytes) -> None:
        position = self._model_chunks.append(partition, chunk)
        if (former := self._slots.get(key)) is not None:
            self._model_chunks.forget(former)
        self._slots[key] = self._sent[index] = position

    def flush(self) -> dict[int, Position]:
        sent, self._sent = self._sent, {}
        return sent

    @property
    def scope(self) -> str:
        """A simulation is no federation: what is signed in it names none."""
        return ""

    def manifests(self, task: str) -> Mapping[int, ModelManifest]:
        return {version: each for version, each in self.published.items() if each.task == task}

    def public_keys(self, participant: str) -> Iterable[bytes]:
        return [self.keys[participant]]

    def envelopes(self, positions: Sequence[Position]) -> list[bytes]:
        return [self._updates.read(position) for position in positions]

    def each_update_chunk(self, positions: Collection[Position], take: Callable[[Position, bytes], None]) -> None:
        for position in positions:
            take(position, self._update_chunks.read(position))

    def model_chunks(self, positions: Sequence[Position]) -> list[bytes]:
        return [self._model_chunks.read(position) for position in positions]


def _reference(position: Position, chunk: Bytes) -> ChunkReference:
    return ChunkReference(partition=position[0], offset=position[1], length=len(chunk), sha256=sha256(chunk).digest())
