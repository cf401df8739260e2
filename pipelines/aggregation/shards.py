"""Tensor work of one shard: sums of fixed-point chunks, partial Gram matrices, chunks of the new model.

What has been accumulated is a cache: `combine` names every update again, so a restarted shard reads what it lacks and
arrives at the same integers. If an exception leaves a sum half done, the job fails, and with it the sum. Readers and
writers are handed in.
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

ReadChunk = Callable[[ChunkReference], bytes]
Matches = Callable[[ChunkReference, bytes], bool]
"""Whether a chunk is the one referred to."""


def hashes_to(reference: ChunkReference, chunk: bytes) -> bool:
    """The plain check, by digest."""
    return hashlib.sha256(chunk).digest() == reference.sha256


class ChunkWriter(Protocol):
    def send(self, index: int, partition: int, key: bytes, chunk: bytes) -> None: ...
    def flush(self) -> dict[int, tuple[int, int]]: ...


@dataclass(slots=True)
class _Accumulator:
    """Sums of one shard of one round, by chunk; the updates that are in them, and those that wait to be read."""

    sums: dict[int, ChunkSum] = field(default_factory=dict)
    included: set[bytes] = field(default_factory=set)
    pending: list[AcceptedUpdate] = field(default_factory=list)


class Shard:
    """The chunks of one shard, for any task: chunk j belongs to shard `chunk_partition(task, j, num_shards)`."""

    def __init__(
        self,
        shard: int,
        num_shards: int,
        read_update: ReadChunk,
        read_model: ReadChunk,
        update_matches: Matches = hashes_to,
    ) -> None:
        self._shard = shard
        self._num_shards = num_shards
        self._read_update = read_update
        self._read_model = read_model
        self._update_matches = update_matches
        self._accumulators: dict[tuple[str, int, int], _Accumulator] = {}
        self._rounds: dict[tuple[str, int, int], Round] = {}

    def begin(self, round_: Round) -> None:
        """A round is open: updates may be accumulated as they arrive. Rounds of the task gone by are forgotten."""
        self.forget(round_.task)
        self._rounds[_key(round_)] = round_
        self._accumulators[_key(round_)] = _Accumulator()

    def add(self, update: AcceptedUpdate) -> None:
        """Note an update of a round that has begun here, for `accumulate`; otherwise `combine` will read it."""
        accumulator = self._accumulators.get((update.task, update.round, update.attempt))
        if accumulator is not None:
            accumulator.pending.append(update)

    def accumulate(self) -> None:
        """Read what was noted, all of a round in one pass over the partition."""
        for key, accumulator in self._accumulators.items():
            self._accumulate(accumulator, self._rounds[key], accumulator.pending)
            accumulator.pending = []

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
        if accumulator.included - wanted:
            # The rule left out what had been accumulated: start again with the selection.
            accumulator = _Accumulator()
        self._accumulate(accumulator, round_, updates)
        total_weight = sum(update.weight for update in updates)
        version = round_.base_version + 1
        written: dict[int, tuple[int, bytes]] = {}
        for index in self._chunks_of(round_):
            base = np.frombuffer(self._checked(self._read_model, round_.base_chunks[index], hashes_to), dtype="<f4")
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

    def _accumulate(self, accumulator: _Accumulator, round_: Round, updates: Sequence[AcceptedUpdate]) -> None:
        """Add the updates that are not in the sums yet, in the order in which their chunks lie in the log."""
        missing = [update for update in updates if update.record_sha256 not in accumulator.included]
        work = [
            (-1 if update.inline is not None else update.chunks[index].offset, index, number)
            for index in self._chunks_of(round_)
            for number, update in enumerate(missing)
        ]
        for _, index, number in sorted(work):
            update = missing[number]
            if index not in accumulator.sums:
                length = chunk_length(index, round_.num_elements, round_.chunk_elements)
                accumulator.sums[index] = ChunkSum(length, round_.fraction_bits)
            add_chunk(
                accumulator.sums[index],
                self._raw(round_, update, index),
                encoding=update.encoding,
                first_element=index * round_.chunk_elements,
                layout=round_.layout,
                scales=update.scales,
                weight=update.weight,
            )
        accumulator.included.update(update.record_sha256 for update in missing)

    def _delta(self, round_: Round, update: AcceptedUpdate, index: int) -> npt.NDArray[np.float32]:
        """Chunk `index` of the update, decoded."""
        raw = self._raw(round_, update, index)
        first = index * round_.chunk_elements
        return encoding.get(update.encoding).decode_chunk(raw, first, round_.layout, update.scales)

    def _raw(self, round_: Round, update: AcceptedUpdate, index: int) -> bytes:
        if update.inline is None:
            return self._checked(self._read_update, update.chunks[index], self._update_matches)
        size = encoding.get(update.encoding).bytes_per_element
        start = index * round_.chunk_elements * size
        length = chunk_length(index, round_.num_elements, round_.chunk_elements) * size
        return update.inline[start : start + length]

    @staticmethod
    def _checked(read: ReadChunk, reference: ChunkReference, matches: Matches) -> bytes:
        chunk = read(reference)
        if not matches(reference, chunk):
            raise ChunkUnavailable(
                f"partition {reference.partition}, offset {reference.offset}: not the bytes accepted"
            )
        return chunk


def _key(round_: Round) -> tuple[str, int, int]:
    return round_.task, round_.round, round_.attempt
