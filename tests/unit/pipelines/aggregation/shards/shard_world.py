"""A round over blob topics in memory, for the tests of shards: uploads, the base model, and shards that read them."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from fluvial import encoding
from fluvial.wire.errors import ChunkUnavailable
from fluvial.wire.layout import chunk_partition, num_chunks
from fluvial.wire.records import AcceptedUpdate, ChunkReference, Round, TensorLayout
from models.aggregation.plan import Plan
from pipelines.aggregation.rule import plan_message, selection
from pipelines.aggregation.shards.chunk_source import ChunkSource
from pipelines.aggregation.shards.measuring import Measurements
from pipelines.aggregation.shards.shard import Shard
from pipelines.aggregation.shards.slices import Work
from pipelines.aggregation.shards.sums import ExactSums
from pipelines.aggregation.shards.tensor_memory import TensorMemory
from tests.unit.pipelines.aggregation.builders import a_round, an_update

T = TypeVar("T")
MEAN = '{"name": "weighted_mean"}'


class Log:
    """A blob topic in memory: every partition a list of chunks. Counts how often the reader had to go back."""

    def __init__(self) -> None:
        self.partitions: defaultdict[int, list[bytes]] = defaultdict(list)
        self.steps_back = 0
        self.num_read = 0
        self.lost: set[tuple[int, int]] = set()
        self._sent: dict[int, tuple[int, int]] = {}
        self._at: dict[int, int] = {}

    def close(self) -> None:
        """As a writer's."""

    def put(self, partition: int, chunk: bytes) -> ChunkReference:
        self.partitions[partition].append(chunk)
        return ChunkReference(
            partition=partition,
            offset=len(self.partitions[partition]) - 1,
            length=len(chunk),
            sha256=hashlib.sha256(chunk).digest(),
        )

    def read(self, reference: ChunkReference) -> bytes:
        self.num_read += 1
        self.steps_back += reference.offset < self._at.get(reference.partition, 0)
        self._at[reference.partition] = reference.offset
        if (reference.partition, reference.offset) in self.lost:
            raise ChunkUnavailable(f"{reference.partition}@{reference.offset}")
        return self.partitions[reference.partition][reference.offset]

    def send(self, index: int, partition: int, key: bytes, chunk: bytes) -> None:
        self._sent[index] = partition, self.put(partition, chunk).offset

    def flush(self) -> dict[int, tuple[int, int]]:
        sent, self._sent = self._sent, {}
        return sent


class ShardWorld:
    """A round of N updates. encodings: of each update; inline for float32 inside
    its record, where the model is one chunk. interleaved: uploads at one time lie
    chunk by chunk beside each other, otherwise one after the other. logs: of updates and models; by default its own."""

    def __init__(
        self,
        deltas: Sequence[npt.NDArray[np.float32]],
        *,
        chunk_elements: int,
        num_shards: int = 2,
        encodings: Sequence[str] | None = None,
        weights: Sequence[int] | None = None,
        layout: tuple[TensorLayout, ...] | None = None,
        interleaved: bool = True,
        logs: tuple[Log, Log] | None = None,
        **round_fields: Any,
    ) -> None:
        self.num_shards, self.deltas = num_shards, list(deltas)
        self.updates_log, self.models_log = logs or (Log(), Log())
        size = deltas[0].size
        self.base = np.linspace(-1.0, 1.0, size, dtype=np.float32)
        round_ = a_round(
            layout=layout or (TensorLayout(name="weight", shape=(size,)),),
            num_elements=size,
            chunk_elements=chunk_elements,
            encodings=tuple(encoding.ENCODINGS),
            **round_fields,
        )
        self.chunks = range(num_chunks(size, chunk_elements))
        self.round: Round = replace(round_, base_chunks=self.model_chunks(self.base, round_))
        names = list(encodings or ["float32"] * len(deltas))
        scales: dict[int, tuple[float, ...]] = {}
        places: dict[tuple[int, int], ChunkReference] = {}
        raws: dict[int, list[bytes]] = {}
        for number, name in enumerate(names):
            codec = encoding.encoder("float32" if name == "inline" else name)
            encoded = codec.encode(deltas[number], self.round.layout, chunk_elements)
            raws[number], scales[number] = [bytes(chunk) for chunk in encoded.chunks], encoded.scales
        work = [(number, index) for index in self.chunks for number in range(len(deltas)) if names[number] != "inline"]
        for number, index in work if interleaved else sorted(work):
            partition = chunk_partition(self.round.task, index, num_shards)
            places[number, index] = self.updates_log.put(partition, raws[number][index])
        self.updates: list[AcceptedUpdate] = [
            an_update(
                number + 1,
                task=self.round.task,
                encoding="float32" if name == "inline" else name,
                scales=scales[number],
                inline=raws[number][0] if name == "inline" else None,
                chunks=() if name == "inline" else tuple(places[number, index] for index in self.chunks),
                weight=(weights or range(1, len(deltas) + 1))[number],
            )
            for number, name in enumerate(names)
        ]

    def model_chunks(self, model: npt.NDArray[np.float32], round_: Round | None = None) -> tuple[ChunkReference, ...]:
        """The chunks of a model or moment, put into the log."""
        round_ = round_ or self.round
        size = round_.chunk_elements
        return tuple(
            self.models_log.put(
                chunk_partition(round_.task, index, self.num_shards), model[index * size : (index + 1) * size].tobytes()
            )
            for index in range(num_chunks(model.size, size))
        )

    def shard(self, number: int, *, memory: int = 1 << 20, sums: int = 1 << 20, slice_bytes: int = 1 << 20) -> Shard:
        source = ChunkSource(number, self.num_shards, self.updates_log.read, self.models_log.read)
        return Shard(source, ExactSums(sums), TensorMemory(memory), slice_bytes=slice_bytes)

    def shards(self, **settings: int) -> list[Shard]:
        return [self.shard(number, **settings) for number in range(self.num_shards)]

    def plan(self, shards: Iterable[Shard] = (), updates: Sequence[AcceptedUpdate] | None = None) -> Plan:
        """What the round's rule decides on the updates, from what the shards measure."""
        ordered = selection.in_order(self.updates if updates is None else updates)
        measured: Measurements = {}
        if selection.needs_measurement(self.round):
            for shard in shards:
                measured |= run(shard.measure(self.round, ordered))
        return selection.plan(self.round, ordered, measured)

    def combine(
        self, shards: Sequence[Shard], updates: Sequence[AcceptedUpdate] | None = None, plan: Plan | None = None
    ) -> dict[int, ChunkReference]:
        """What the shards write, by index: measured, planned and combined as the operators do it."""
        ordered = selection.in_order(self.updates if updates is None else updates)
        plan = plan or self.plan(shards, ordered)
        taken = [update for update, weight in zip(ordered, plan.effective_weights, strict=True) if weight]
        sent = plan_message.load(plan_message.dump(plan))
        chunks: dict[int, ChunkReference] = {}
        for shard in shards:
            chunks |= run(shard.combine(self.round, taken, sent, self.models_log))
        return chunks

    def values(self, chunks: dict[int, ChunkReference], dtype: str = "<f4") -> npt.NDArray[Any]:
        """The chunks' values, in the order of their indices; their digests are checked."""
        parts = [self.models_log.partitions[chunks[i].partition][chunks[i].offset] for i in sorted(chunks)]
        assert [hashlib.sha256(part).digest() for part in parts] == [chunks[i].sha256 for i in sorted(chunks)]
        return np.frombuffer(b"".join(parts), dtype)

    def model(self, shards: Sequence[Shard], updates: Sequence[AcceptedUpdate] | None = None) -> npt.NDArray[Any]:
        """The new model, put together from what the shards wrote."""
        return self.values(self.combine(shards, updates))


def run(work: Work[T]) -> T:
    """The result of work that nothing interrupts."""
    while True:
        try:
            next(work)
        except StopIteration as stop:
            result: T = stop.value
            return result


def num_slices(work: Work[Any]) -> int:
    """How often work may be interrupted."""
    return sum(1 for _ in work)
