"""What a shard reads: its chunks of updates and of models, each found to be the one referred to.

Readers are handed in. Shapes: N updates, n elements of a chunk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from fluvial import encoding
from fluvial.encoding import Span
from fluvial.wire.errors import ChunkUnavailable
from fluvial.wire.layout import chunk_partition, num_chunks
from fluvial.wire.records import AcceptedUpdate, ChunkReference, ModelUpdate, Round

Float32 = npt.NDArray[np.float32]
ReadChunk = Callable[[ChunkReference], bytes]
Matches = Callable[[ChunkReference, bytes], bool]
"""Whether a chunk is the one referred to."""
Update = AcceptedUpdate | ModelUpdate


def hashes_to(reference: ChunkReference, chunk: bytes) -> bool:
    """The plain check, by digest."""
    return hashlib.sha256(chunk).digest() == reference.sha256


def shards_of(round_: Round, num_shards: int) -> list[int]:
    """Shards that have chunks of the round's model, ascending: of a small model's not all."""
    chunks = num_chunks(round_.num_elements, round_.chunk_elements)
    # Chunks that follow each other are those of shards that do.
    return sorted({chunk_partition(round_.task, index, num_shards) for index in range(min(chunks, num_shards))})


class ChunkSource:
    """The chunks of one shard, for any task: chunk j belongs to shard `chunk_partition(task, j, num_shards)`."""

    def __init__(
        self,
        shard: int,
        num_shards: int,
        read_update: ReadChunk,
        read_model: ReadChunk,
        update_matches: Matches = hashes_to,
        model_matches: Matches = hashes_to,
    ) -> None:
        self.shard = shard
        self._num_shards = num_shards
        self._read_update = read_update
        self._read_model = read_model
        self._update_matches = update_matches
        self._model_matches = model_matches

    def chunks_of(self, round_: Round) -> list[int]:
        """Indices of the round's chunks that are this shard's, ascending."""
        indices = range(num_chunks(round_.num_elements, round_.chunk_elements))
        return [index for index in indices if chunk_partition(round_.task, index, self._num_shards) == self.shard]

    def raw(self, round_: Round, update: Update, index: int) -> bytes:
        """Chunk `index` of the update as it was encoded; what travels inline is one chunk. Raises ChunkUnavailable."""
        if update.inline is None:
            return _checked(self._read_update, update.chunks[index], self._update_matches)
        return update.inline

    def delta(self, round_: Round, update: Update, index: int) -> Float32:
        """Chunk `index` of the update, float32[n]. Raises ChunkUnavailable."""
        raw = self.raw(round_, update, index)
        return encoding.get(update.encoding).decode(raw, Span.of(round_, index), update.scales)

    def model_chunk(self, reference: ChunkReference) -> Float32:
        """A chunk of a model or of a moment, float32[n]. Raises ChunkUnavailable."""
        return np.frombuffer(_checked(self._read_model, reference, self._model_matches), dtype="<f4")


def place_in_log(update: Update, index: int) -> tuple[int, int]:
    """Sorting by it reads a partition forward: where chunk `index` of the update lies; first what came inline."""
    return (-1 if update.inline is not None else update.chunks[index].offset, index)


def _checked(read: ReadChunk, reference: ChunkReference, matches: Matches) -> bytes:
    chunk = read(reference)
    if not matches(reference, chunk):
        raise ChunkUnavailable(f"partition {reference.partition}, offset {reference.offset}: not the bytes accepted")
    return chunk
