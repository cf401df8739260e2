"""Tensor work of one shard: sums of fixed-point chunks, partial Gram matrices, chunks of the new model.

What has been accumulated is a cache: `combine` names every update again, so a restarted shard reads what it lacks and
arrives at the same integers. Readers and writers are handed in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from fluvial import encoding
from fluvial.wire.errors import ChunkUnavailable
from fluvial.wire.layout import chunk_length, chunk_partition, num_chunks
from fluvial.wire.records import AcceptedUpdate, ChunkReference, Round
from models.aggregation.contribution import add_chunk
from models.aggregation.fixed_point import ChunkSum, finish
from models.aggregation.gram import partial_gram

ReadChunk = Callable[[ChunkReference, bool], bytes]
"""Reads a chunk; the flag says whether to keep it cached for another reader."""


class ChunkWriter(Protocol):
    def send(self, index: int, partition: int, key: bytes, chunk: bytes) -> None: ...
    def flush(self) -> dict[int, tuple[int, int]]: ...


@dataclass(slots=True)
class _Accumulator:
    """Sums of one shard of one round, by chunk, and the updates that are in them (digest to weight)."""

    sums: dict[int, ChunkSum] = field(default_factory=dict)
    included: dict[bytes, int] = field(default_factory=dict)


class Shard:
    """The chunks of one shard, for any task: chunk j belongs to shard `chunk_partition(task, j, num_shards)`."""

    def __init__(self, shard: int, num_shards: int, read_update: ReadChunk, read_model: ReadChunk) -> None:
        self._shard = shard
        self._num_shards = num_shards
        self._read_update = read_update
        self._read_model = read_model
        self._accumulators: dict[tuple[str, int, int], _Accumulator] = {}
        self._rounds: dict[tuple[str, int, int], Round] = {}

    def begin(self, round_: Round) -> None:
        """A round is open: updates may be accumulated as they arrive. Rounds of the task gone by are forgotten."""
        self.forget(round_.task)
        self._rounds[_key(round_)] = round_
        self._accumulators[_key(round_)] = _Accumulator()

    def add(self, update: AcceptedUpdate) -> None:
        """Accumulate an update of a round that has begun here; otherwise `combine` will read it."""
        key = update.task, update.round, update.attempt
        round_ = self._rounds.get(key)
        if round_ is not None and update.record_sha256 not in self._accumulators[key].included:
            self._accumulate(self._accumulators[key], round_, update)

    def measure(self, round_: Round, updates: Sequence[AcceptedUpdate]) -> dict[int, npt.NDArray[np.float64]]:
        """Per chunk the Gram matrix, float64[N, N], of the N updates in the order given."""
        return {
            index: partial_gram([self._delta(round_, update, index) for update in updates])
            for index in self._chunks_of(round_)
        }

    def combine(
        self, round_: Round, updates: Sequence[AcceptedUpdate], writer: ChunkWriter
    ) -> dict[int, ChunkReference]:
        """Write this shard's chunks of the new model: base plus the weighted mean of exactly these updates.

        Raises ChunkUnavailable when an accepted chunk can no longer be read.
        """
        accumulator = self._accumulators.get(_key(round_), _Accumulator())
        wanted = {update.record_sha256 for update in updates}
        for update in updates:
            if update.record_sha256 not in accumulator.included:
                self._accumulate(accumulator, round_, update)
        if accumulator.included.keys() - wanted:
            # The rule left out what had been accumulated: start again with the selection.
            accumulator = _Accumulator()
            for update in updates:
                self._accumulate(accumulator, round_, update)
        total_weight = sum(update.weight for update in updates)
        version = round_.base_version + 1
        written: dict[int, tuple[int, bytes]] = {}
        for index in self._chunks_of(round_):
            base = np.frombuffer(self._checked(self._read_model, round_.base_chunks[index], keep=False), dtype="<f4")
            model = finish(base, accumulator.sums[index].values, total_weight, round_.fraction_bits)
            chunk = model.astype("<f4", copy=False).tobytes()
            key = f"{round_.task}/{index}/{version % round_.kept_versions}".encode()
            writer.send(index, self._shard, key, chunk)
            written[index] = len(chunk), hashlib.sha256(chunk).digest()
        places = writer.flush()
        self.forget(round_.task)
        return {
            index: ChunkReference(partition=places[index][0], offset=places[index][1], length=length, sha256=digest)
            for index, (length, digest) in written.items()
        }

    def forget(self, task: str) -> None:
        """Drop what was accumulated for the task."""
        for key in [key for key in self._rounds if key[0] == task]:
            del self._rounds[key], self._accumulators[key]

    def _chunks_of(self, round_: Round) -> Iterator[int]:
        for index in range(num_chunks(round_.num_elements, round_.chunk_elements)):
            if chunk_partition(round_.task, index, self._num_shards) == self._shard:
                yield index

    def _accumulate(self, accumulator: _Accumulator, round_: Round, update: AcceptedUpdate) -> None:
        indices = list(self._chunks_of(round_))
        if update.inline is None:
            # In the order of the log, so that a partition is read forward.
            indices.sort(key=lambda index: update.chunks[index].offset)
        for index in indices:
            if index not in accumulator.sums:
                accumulator.sums[index] = ChunkSum(
                    chunk_length(index, round_.num_elements, round_.chunk_elements), round_.fraction_bits
                )
            add_chunk(
                accumulator.sums[index],
                self._raw(round_, update, index, keep=False),
                encoding=update.encoding,
                first_element=index * round_.chunk_elements,
                layout=round_.layout,
                scales=update.scales,
                weight=update.weight,
            )
        accumulator.included[update.record_sha256] = update.weight

    def _delta(self, round_: Round, update: AcceptedUpdate, index: int) -> npt.NDArray[np.float32]:
        """Chunk `index` of the update, decoded; its bytes stay cached for the second pass."""
        raw = self._raw(round_, update, index, keep=True)
        first = index * round_.chunk_elements
        return encoding.get(update.encoding).decode_chunk(raw, first, round_.layout, update.scales)

    def _raw(self, round_: Round, update: AcceptedUpdate, index: int, *, keep: bool) -> bytes:
        if update.inline is None:
            return self._checked(self._read_update, update.chunks[index], keep=keep)
        size = encoding.get(update.encoding).bytes_per_element
        start = index * round_.chunk_elements * size
        length = chunk_length(index, round_.num_elements, round_.chunk_elements) * size
        return update.inline[start : start + length]

    @staticmethod
    def _checked(read: ReadChunk, reference: ChunkReference, *, keep: bool) -> bytes:
        chunk = read(reference, keep)
        if hashlib.sha256(chunk).digest() != reference.sha256:
            raise ChunkUnavailable(
                f"partition {reference.partition}, offset {reference.offset}: not the bytes accepted"
            )
        return chunk


def _key(round_: Round) -> tuple[str, int, int]:
    return round_.task, round_.round, round_.attempt
