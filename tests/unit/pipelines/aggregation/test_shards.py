"""A shard arrives at the same chunks whether it accumulated early, late, twice interrupted, or with too much in it."""

import hashlib
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from fluvial import encoding
from fluvial.wire.errors import ChunkUnavailable
from fluvial.wire.layout import chunk_partition
from fluvial.wire.records import AcceptedUpdate, ChunkReference, Round
from pipelines.aggregation.shards import Shard
from tests.unit.pipelines.aggregation.builders import LAYOUT, a_round, an_update

SHARDS = 2
ELEMENTS, CHUNK = 8, 4


class Log:
    """A blob topic in memory: every partition a list of chunks. Counts how often the reader had to go back."""

    def __init__(self) -> None:
        self.partitions: dict[int, list[bytes]] = {0: [], 1: []}
        self.steps_back = 0
        self.sent: dict[int, tuple[int, int]] = {}
        self._at: dict[int, int] = {}

    def put(self, partition: int, chunk: bytes) -> ChunkReference:
        self.partitions[partition].append(chunk)
        return ChunkReference(
            partition=partition,
            offset=len(self.partitions[partition]) - 1,
            length=len(chunk),
            sha256=hashlib.sha256(chunk).digest(),
        )

    def read(self, reference: ChunkReference) -> bytes:
        self.steps_back += reference.offset < self._at.get(reference.partition, 0)
        self._at[reference.partition] = reference.offset
        return self.partitions[reference.partition][reference.offset]

    def send(self, index: int, partition: int, key: bytes, chunk: bytes) -> None:
        self.sent[index] = partition, self.put(partition, chunk).offset

    def flush(self) -> dict[int, tuple[int, int]]:
        sent, self.sent = self.sent, {}
        return sent


class World:
    """A round of three updates, float32 in chunks, int8 in chunks, float32 inline, over a base model."""

    def __init__(self) -> None:
        random = np.random.default_rng(7)
        self.updates_log, self.models_log = Log(), Log()
        self.base = random.normal(size=ELEMENTS).astype(np.float32)
        base_chunks = tuple(
            self.models_log.put(chunk_partition("demo", index, SHARDS), part.tobytes())
            for index, part in enumerate(self.base.reshape(-1, CHUNK))
        )
        self.round: Round = a_round(base_chunks=base_chunks, encodings=("float32", "int8"))
        self.deltas = [random.normal(size=ELEMENTS).astype(np.float32) for _ in range(3)]
        self.updates = [
            self._in_chunks(1, self.deltas[0], "float32"),
            self._in_chunks(2, self.deltas[1], "int8"),
            an_update(3, inline=self.deltas[2].tobytes(), weight=3),
        ]

    def _in_chunks(self, number: int, delta: npt.NDArray[np.float32], name: str) -> AcceptedUpdate:
        raw, scales = encoding.get(name).encode(delta, LAYOUT)
        size = CHUNK * encoding.get(name).bytes_per_element
        chunks = tuple(
            self.updates_log.put(chunk_partition("demo", index, SHARDS), raw[index * size : index * size + size])
            for index in range(2)
        )
        return an_update(number, encoding=name, scales=scales, chunks=chunks, weight=number)

    def shard(self, number: int) -> Shard:
        return Shard(number, SHARDS, self.updates_log.read, self.models_log.read)

    def model(self, shards: list[Shard], updates: list[AcceptedUpdate]) -> npt.NDArray[np.float32]:
        """The new model, put together from what the shards wrote."""
        chunks: dict[int, ChunkReference] = {}
        for shard in shards:
            chunks |= shard.combine(self.round, updates, self.models_log)
        parts = [self.models_log.partitions[chunks[i].partition][chunks[i].offset] for i in sorted(chunks)]
        assert [hashlib.sha256(part).digest() for part in parts] == [chunks[i].sha256 for i in sorted(chunks)]
        return np.frombuffer(b"".join(parts), "<f4")

    def slow_model(self, updates: list[AcceptedUpdate]) -> npt.NDArray[np.float32]:
        """The same in Python's integers, element by element."""
        total_weight = sum(update.weight for update in updates)
        sums = [0] * ELEMENTS
        for update in updates:
            for element, value in enumerate(self._fixed(update)):
                sums[element] += update.weight * value
        scale = 2.0**self.round.fraction_bits
        mean = [np.float64(total) / (np.float64(total_weight) * scale) for total in sums]
        return np.array([np.float32(m + np.float64(b)) for m, b in zip(mean, self.base, strict=True)])

    def _fixed(self, update: AcceptedUpdate) -> list[int]:
        bits = self.round.fraction_bits
        if update.encoding == "float32":
            delta = self.deltas[update.source_offset - 1]
            return [round(Fraction(float(x)) * 2**bits) for x in delta]
        codes = np.frombuffer(
            b"".join(self.updates_log.partitions[c.partition][c.offset] for c in update.chunks), np.int8
        )
        per_element = [update.scales[0]] * 6 + [update.scales[1]] * 2
        return [int(code) * round(Fraction(s) * 2**bits) for code, s in zip(codes, per_element, strict=True)]


@pytest.fixture
def world() -> World:
    return World()


def test_the_sum_is_the_slow_sum(world: World) -> None:
    shards = [world.shard(0), world.shard(1)]
    np.testing.assert_array_equal(world.model(shards, world.updates), world.slow_model(world.updates))


def test_early_late_and_lost_accumulation_agree(world: World) -> None:
    late = world.model([world.shard(0), world.shard(1)], world.updates)
    early = [world.shard(0), world.shard(1)]
    for shard in early:
        shard.begin(world.round)
        for update in world.updates[::-1]:
            shard.add(update)
            shard.accumulate()
        shard.add(world.updates[0])
        shard.accumulate()
    np.testing.assert_array_equal(world.model(early, world.updates), late)
    # One shard restarts in the middle of the round, the other has read two updates.
    mixed = [world.shard(0), world.shard(1)]
    mixed[1].begin(world.round)
    mixed[1].add(world.updates[2])
    mixed[1].add(world.updates[0])
    mixed[1].accumulate()
    np.testing.assert_array_equal(world.model(mixed, world.updates), late)


def test_what_the_rule_left_out_leaves_no_trace(world: World) -> None:
    chosen = world.updates[:2]
    eager = [world.shard(0), world.shard(1)]
    for shard in eager:
        shard.begin(world.round)
        for update in world.updates:
            shard.add(update)
        shard.accumulate()
    np.testing.assert_array_equal(world.model(eager, chosen), world.slow_model(chosen))


def test_a_partition_is_read_forward_once(world: World) -> None:
    world.model([world.shard(0), world.shard(1)], world.updates)
    assert world.updates_log.steps_back == 0


def test_bytes_other_than_the_accepted_ones_are_an_error(world: World) -> None:
    reference = world.updates[0].chunks[0]
    world.updates_log.partitions[reference.partition][reference.offset] = bytes(reference.length)
    with pytest.raises(ChunkUnavailable, match="not the bytes accepted"):
        world.model([world.shard(0), world.shard(1)], world.updates)


def test_partial_grams_are_those_of_the_chunks(world: World) -> None:
    grams: dict[int, Any] = {}
    for number in range(SHARDS):
        grams |= world.shard(number).measure(world.round, [world.updates[0], world.updates[2]])
    rows = np.stack([world.deltas[0], world.deltas[2]]).astype(np.float64)
    np.testing.assert_allclose(grams[0] + grams[1], rows @ rows.T, rtol=1e-6)
