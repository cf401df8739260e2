"""A shard arrives at the same chunks whether it accumulated early, late, twice interrupted, or with too much in it."""

import json
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from fluvial.wire.errors import ChunkUnavailable
from fluvial.wire.records import AcceptedUpdate
from models.aggregation.server_optimizer import parse_server_optimizer
from pipelines.aggregation.shards.shard import Shard
from tests.unit.pipelines.aggregation.builders import LAYOUT
from tests.unit.pipelines.aggregation.shards.shard_world import MEAN, ShardWorld, num_slices, run

ELEMENTS, CHUNK = 8, 4


class World(ShardWorld):
    """A round of three updates, float32 and int8 in chunks."""

    def __init__(self, **fields: Any) -> None:
        random = np.random.default_rng(7)
        super().__init__(
            [random.normal(size=ELEMENTS).astype(np.float32) for _ in range(3)],
            chunk_elements=CHUNK,
            encodings=["float32", "int8", "float32"],
            layout=LAYOUT,
            **fields,
        )

    def slow_sums(self, updates: list[AcceptedUpdate]) -> list[int]:
        """The same in Python's integers, element by element."""
        sums = [0] * ELEMENTS
        for update in updates:
            for element, value in enumerate(self._fixed(update)):
                sums[element] += update.weight * value
        return sums

    def slow_model(self, updates: list[AcceptedUpdate]) -> npt.NDArray[np.float32]:
        total_weight = sum(update.weight for update in updates)
        scale = 2.0**self.round.fraction_bits
        mean = [np.float64(total) / (np.float64(total_weight) * scale) for total in self.slow_sums(updates)]
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


def add(shard: Shard, update: AcceptedUpdate) -> None:
    shard.add(update.task, update.round, update.attempt, update)


@pytest.fixture
def world() -> World:
    return World()


def test_the_sum_is_the_slow_sum(world: World) -> None:
    np.testing.assert_array_equal(world.model(world.shards()), world.slow_model(world.updates))


def test_early_late_and_lost_accumulation_agree(world: World) -> None:
    late = world.model(world.shards())
    early = world.shards()
    for shard in early:
        shard.begin(world.round)
        for update in world.updates[::-1]:
            add(shard, update)
            run(shard.accumulate("demo"))
        add(shard, world.updates[0])
        run(shard.accumulate("demo"))
    read_before = world.updates_log.num_read
    np.testing.assert_array_equal(world.model(early), late)
    assert world.updates_log.num_read == read_before
    # One shard restarts in the middle of the round, the other has read two updates.
    mixed = world.shards()
    mixed[1].begin(world.round)
    add(mixed[1], world.updates[2])
    add(mixed[1], world.updates[0])
    run(mixed[1].accumulate("demo"))
    np.testing.assert_array_equal(world.model(mixed), late)


def test_an_update_of_a_round_that_has_not_begun_here_waits_for_the_plan(world: World) -> None:
    shard = world.shard(0)
    add(shard, world.updates[0])
    shard.begin(world.round)
    shard.add("demo", 1, 2, world.updates[0])
    run(shard.accumulate("demo"))
    assert world.updates_log.num_read == 0


def test_what_was_left_out_leaves_no_trace(world: World) -> None:
    chosen = world.updates[:2]
    eager = world.shards()
    for shard in eager:
        shard.begin(world.round)
        for update in world.updates:
            add(shard, update)
        run(shard.accumulate("demo"))
    np.testing.assert_array_equal(world.model(eager, chosen), world.slow_model(chosen))


def test_what_cannot_be_taken_back_is_summed_anew() -> None:
    random = np.random.default_rng(3)
    world = ShardWorld([random.normal(size=8).astype(np.float32) for _ in range(3)], chunk_elements=4)
    chosen = world.updates[1:]
    expected = world.model(world.shards(), chosen)
    eager = world.shards()
    for shard in eager:
        shard.begin(world.round)
        for update in world.updates:
            add(shard, update)
        run(shard.accumulate("demo"))
    for reference in world.updates[0].chunks:
        world.updates_log.partitions[reference.partition][reference.offset] = b"expired"
    np.testing.assert_array_equal(world.model(eager, chosen), expected)


def test_a_partition_is_read_forward_once(world: World) -> None:
    world.model(world.shards())
    assert world.updates_log.steps_back == 0


@pytest.mark.parametrize("rule", [MEAN, '{"name": "multi_krum", "num_byzantine": 0}', '{"name": "median"}'])
def test_uploads_one_after_the_other_are_gone_back_to_once_for_a_band(rule: str) -> None:
    random = np.random.default_rng(1)
    deltas = [random.normal(size=64).astype(np.float32) for _ in range(4)]
    world = ShardWorld(deltas, chunk_elements=4, num_shards=1, interleaved=False, rule=rule)
    world.model(world.shards(memory=4 * 4 * 4 * 8 * 2))
    passes = 2 if "krum" in rule else 1
    of_a_band = 16 if rule == MEAN else 8
    assert world.updates_log.steps_back <= passes * 16 // of_a_band * 2
    assert world.updates_log.num_read == passes * 64


def test_work_is_cut_in_slices(world: World) -> None:
    plan = world.plan()
    work = world.shard(0, slice_bytes=1).combine(world.round, world.updates, plan, world.models_log)
    assert num_slices(work) >= 3
    uncut = world.shard(0).combine(world.round, world.updates, plan, world.models_log)
    assert num_slices(uncut) == 0


@pytest.mark.parametrize("slice_bytes", [1, 16, 40, 100, 170])
@pytest.mark.parametrize("rule", [MEAN, '{"name": "median"}'])
def test_nothing_written_is_in_flight_between_slices(slice_bytes: int, rule: str) -> None:
    random = np.random.default_rng(1)
    deltas = [random.normal(size=64).astype(np.float32) for _ in range(3)]
    world = ShardWorld(deltas, chunk_elements=4, num_shards=1, rule=rule)
    shard = world.shard(0, memory=4 * 4 * 3 * 5, sums=0, slice_bytes=slice_bytes)
    for _ in shard.combine(world.round, world.updates, world.plan(), world.models_log):
        assert world.models_log.flush() == {}


def test_bytes_other_than_the_accepted_ones_are_an_error(world: World) -> None:
    reference = world.updates[0].chunks[0]
    world.updates_log.partitions[reference.partition][reference.offset] = bytes(reference.length)
    with pytest.raises(ChunkUnavailable, match="not the bytes accepted"):
        world.model(world.shards())


def test_partial_grams_are_those_of_the_chunks(world: World) -> None:
    world.round = replace(world.round, rule='{"name": "multi_krum", "num_byzantine": 0}')
    grams: dict[int, Any] = {}
    for shard in world.shards():
        grams |= run(shard.measure(world.round, [world.updates[0], world.updates[2]]))
    rows = np.stack([world.deltas[0], world.deltas[2]]).astype(np.float64)
    np.testing.assert_allclose(grams[0] + grams[1], rows @ rows.T, rtol=1e-6)


def test_norms_are_the_diagonal_of_the_gram_matrix_to_the_bit(world: World) -> None:
    (shard, _) = world.shards()
    world.round = replace(world.round, rule='{"name": "multi_krum", "num_byzantine": 0}')
    grams = run(shard.measure(world.round, world.updates))
    clipped = {"name": "clipped", "max_norm": 1.0, "rule": {"name": "median"}}
    world.round = replace(world.round, rule=json.dumps(clipped))
    norms = run(shard.measure(world.round, world.updates))
    assert {index: np.diagonal(gram).tolist() for index, gram in grams.items()} == {
        index: values.tolist() for index, values in norms.items()
    }


def test_a_partial_round_writes_the_sum_itself() -> None:
    world = World(partial=True)
    sums = world.values(world.combine(world.shards()), "<i8")
    assert sums.tolist() == world.slow_sums(world.updates)


def test_a_server_optimizer_continues_from_its_moments() -> None:
    text = json.dumps({"name": "adam", "learning_rate": 0.1})
    optimizer = parse_server_optimizer(text)
    world = World(server_optimizer=text)
    delta = np.float64(world.slow_sums(world.updates)) / (np.float64(6) * 2.0**world.round.fraction_bits)
    model, moments = world.base, optimizer.initial_moments(ELEMENTS)
    for _ in range(2):
        model, moments = optimizer.step(model, delta, moments)
        chunks = world.combine(world.shards())
        assert sorted(chunks) == list(range(2 * (1 + len(moments))))
        np.testing.assert_array_equal(world.values(chunks), np.concatenate([model, *moments]))
        world.round = replace(
            world.round,
            base_chunks=tuple(chunks[index] for index in range(2)),
            optimizer_chunks=tuple(chunks[index] for index in range(2, len(chunks))),
        )


@pytest.mark.parametrize("rule", [MEAN, '{"name": "median"}'])
@pytest.mark.parametrize(
    "server_optimizer", ['{"name": "momentum", "learning_rate": 1e300}', '{"name": "dynamic", "alpha": 1e300}']
)
def test_a_model_beyond_float32_is_never_written(rule: str, server_optimizer: str) -> None:
    """It would be every later round's base, and nobody could train on it again."""
    world = World(rule=rule, server_optimizer=server_optimizer)
    shards = world.shards()
    with pytest.raises(ValueError, match="a smaller learning rate of the server optimizer"):
        world.combine(shards)
