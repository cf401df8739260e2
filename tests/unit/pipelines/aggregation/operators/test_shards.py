"""Shard operators over a fake of Flink's context: commands survive a restart, tasks take turns, short work stays out of
the state."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fluvial.identity.brokers import Brokers
from fluvial.wire.framing import encode
from pipelines.aggregation.messages import (
    Add,
    Begin,
    CombineRound,
    Measured,
    MeasureRound,
    NotMeasured,
    Place,
    ShardDone,
    ShardFailed,
)
from pipelines.aggregation.operators.shards import Combine, Measure
from pipelines.aggregation.rule import selection
from pipelines.config import Settings
from pipelines.flink.messages import unpack
from pipelines.flink.process_resources import ProcessResources
from tests.unit.pipelines.aggregation.shards.shard_world import MEAN, Log, ShardWorld

KEY = "shard-0-0"
CHUNKS = 8


class Context:
    """State of one key that outlives operators, and timers that somebody has to fire."""

    def __init__(self) -> None:
        self.stored: list[bytes] = []
        self.timers: set[int] = set()

    def get_list_state(self, descriptor: Any) -> Any:
        return SimpleNamespace(add=self.stored.append, get=lambda: list(self.stored), update=self._update)

    def _update(self, values: list[bytes]) -> None:
        self.stored[:] = values

    def timer_service(self) -> Any:
        return SimpleNamespace(register_processing_time_timer=self.timers.add)

    def get_current_key(self) -> str:
        return KEY


class Cluster:
    """One operator on one shard; worlds by task, all of one log. Every chunk is a slice of its own."""

    def __init__(self, kind: type[Combine] | type[Measure], context: Context, worlds: list[ShardWorld]) -> None:
        self.operator = kind(SETTINGS)
        self.operator.open(context)
        self.context, self.worlds = context, worlds

    def command(self, world: ShardWorld) -> bytes:
        ordered = selection.in_order(world.updates)
        encoded = encode(world.round), tuple(encode(update) for update in ordered)
        if isinstance(self.operator, Measure):
            return MeasureRound(*encoded).packed(KEY)
        return CombineRound(*encoded, selection.plan(world.round, ordered, {})).packed(KEY)

    def send(self, message: bytes) -> list[bytes]:
        return list(self.operator.process_element(message, self.context))

    def fire(self) -> list[bytes]:
        """What the next timer brings."""
        timestamp = min(self.context.timers)
        self.context.timers.remove(timestamp)
        return list(self.operator.on_timer(timestamp, self.context))

    def fire_all(self) -> Iterator[bytes]:
        while self.context.timers:
            yield from self.fire()


SETTINGS = Settings.model_construct(
    brokers=Brokers(bootstrap_servers="nowhere"), topic_prefix="f.", partitions=1, parallelism=1, chunk_cache_bytes=0,
    read_timeout_ms=0, tensor_memory_bytes=1 << 20, slice_bytes=1,
)  # fmt: skip


def world_of(task: str, updates_log: Log, models_log: Log, rule: str = MEAN) -> ShardWorld:
    generator = np.random.default_rng(len(task))
    deltas = [generator.normal(size=4 * CHUNKS).astype(np.float32) for _ in range(5)]
    return ShardWorld(deltas, chunk_elements=4, num_shards=1, task=task, rule=rule, logs=(updates_log, models_log))


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Cluster]]:
    """Makes clusters over one log; called again with the same context, it is the cluster after a restart."""
    updates_log, models_log = Log(), Log()

    def reader(resources: Any, topic: str, purpose: str, **settings: Any) -> Any:
        return SimpleNamespace(chunk=(updates_log if topic.endswith("update-blobs") else models_log).read)

    # Sums are shared by the operators of a job, in a process.
    monkeypatch.setitem(SETTINGS.__dict__, "submission", uuid.uuid4().hex)
    monkeypatch.setattr(ProcessResources, "reader", reader)
    monkeypatch.setattr(ProcessResources, "writer", lambda resources, ctx, topic, name: models_log)

    def make(kind: type[Combine] | type[Measure], context: Context, worlds: list[ShardWorld] | None = None) -> Cluster:
        rule = '{"name": "multi_krum", "num_byzantine": 1}' if kind is Measure else MEAN
        worlds = worlds or [world_of(task, updates_log, models_log, rule) for task in ("one", "other")]
        made.append(Cluster(kind, context, worlds))
        return made[-1]

    made: list[Cluster] = []
    yield make
    for each in made:
        each.operator.close()


def model(world: ShardWorld, answer: bytes) -> np.ndarray:
    key, kind, parts = unpack(answer)
    done = ShardDone.of(parts)
    assert (key, kind, done.place) == (world.round.task, ShardDone.kind, Place(1, 1))
    return world.values(done.chunks)


def expected(world: ShardWorld) -> np.ndarray:
    return world.model(world.shards())


def test_short_work_never_gets_into_the_state(cluster: Callable[..., Cluster], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SETTINGS.__dict__, "slice_bytes", 1 << 20)
    running = cluster(Combine, Context())
    (answer,) = running.send(running.command(running.worlds[0]))
    np.testing.assert_array_equal(model(running.worlds[0], answer), expected(running.worlds[0]))
    assert (running.context.stored, running.context.timers) == ([], set())


def test_tasks_take_turns(cluster: Callable[..., Cluster]) -> None:
    running = cluster(Combine, Context())
    one, other = running.worlds
    assert running.send(running.command(one)) == []
    for _ in range(20):
        assert running.fire() == []
    assert running.send(running.command(other)) == []
    assert len(running.context.stored) == 2
    assert len(running.context.timers) == 1
    answers = list(running.fire_all())
    assert [unpack(answer)[0] for answer in answers] == ["one", "other"]
    for world, answer in zip(running.worlds, answers, strict=True):
        np.testing.assert_array_equal(model(world, answer), expected(world))
    assert running.context.stored == []


@pytest.mark.parametrize("slices", [0, 1, 7, 30, 41])
def test_a_restart_does_unfinished_commands_again(cluster: Callable[..., Cluster], slices: int) -> None:
    before = cluster(Combine, Context())
    commands = [before.command(world) for world in before.worlds]
    for command in commands:
        before.send(command)
    for _ in range(slices):
        before.fire()
    after = cluster(Combine, before.context, before.worlds)
    answers = {unpack(answer)[0]: answer for answer in after.fire_all()}
    for world in after.worlds:
        np.testing.assert_array_equal(model(world, answers[world.round.task]), expected(world))


def test_a_restart_measures_again(cluster: Callable[..., Cluster]) -> None:
    before = cluster(Measure, Context())
    world = before.worlds[0]
    assert before.send(before.command(world)) == []
    before.fire()
    after = cluster(Measure, before.context, before.worlds)
    (answer,) = after.fire_all()
    key, kind, parts = unpack(answer)
    assert (key, kind) == ("one/1", Measured.kind)
    measured = Measured.of(parts)
    assert (measured.place, list(measured.measurements)) == (Place(1, 1), list(range(CHUNKS)))
    rows = np.stack([world.deltas[update.source_offset - 1] for update in selection.in_order(world.updates)])
    total = np.sum(list(measured.measurements.values()), axis=0)
    np.testing.assert_allclose(total, rows.astype(np.float64) @ rows.T, rtol=1e-6)


def test_what_is_added_as_it_comes_is_not_read_again(cluster: Callable[..., Cluster]) -> None:
    running = cluster(Combine, Context())
    world = running.worlds[0]
    running.send(Begin(encode(world.round)).packed(KEY))
    encoded = tuple(encode(update) for update in world.updates)
    running.send(Add(world.round.task, Place(1, 1), encoded).packed(KEY))
    assert list(running.fire_all()) == []
    num_read = world.updates_log.num_read
    assert num_read == 5 * CHUNKS
    (answer,) = [*running.send(running.command(world)), *running.fire_all()]
    assert world.updates_log.num_read == num_read
    np.testing.assert_array_equal(model(world, answer), expected(world))


def test_a_chunk_that_is_gone_fails_its_round_and_no_other(cluster: Callable[..., Cluster]) -> None:
    running = cluster(Combine, Context())
    one, other = running.worlds
    one.updates_log.lost.add((one.updates[2].chunks[3].partition, one.updates[2].chunks[3].offset))
    for world in running.worlds:
        running.send(Begin(encode(world.round)).packed(KEY))
        encoded = tuple(encode(update) for update in world.updates)
        running.send(Add(world.round.task, Place(1, 1), encoded).packed(KEY))
    assert list(running.fire_all()) == []
    answers = [*running.send(running.command(one)), *running.send(running.command(other)), *running.fire_all()]
    by_task = {unpack(answer)[0]: answer for answer in answers}
    failed = ShardFailed.of(unpack(by_task["one"])[2])
    assert (failed.place, failed.reason[:24]) == (Place(1, 1), "a chunk is not available")
    np.testing.assert_array_equal(model(other, by_task["other"]), expected(other))
    assert running.context.stored == []


def test_a_chunk_that_is_gone_is_not_measured(cluster: Callable[..., Cluster]) -> None:
    running = cluster(Measure, Context())
    world = running.worlds[0]
    world.updates_log.lost.add((0, world.updates[0].chunks[0].offset))
    (answer,) = [*running.send(running.command(world)), *running.fire_all()]
    key, kind, parts = unpack(answer)
    assert (key, kind, NotMeasured.of(parts).place) == ("one/1", NotMeasured.kind, Place(1, 1))


def test_bytes_that_do_not_fit_fail_their_round_and_leave_the_writer_clean(cluster: Callable[..., Cluster]) -> None:
    running = cluster(Combine, Context())
    one, other = running.worlds
    last = one.updates[-1]
    wrong = replace(last, chunks=(*last.chunks[:-1], one.updates_log.put(0, b"odd")))
    ordered = selection.in_order([*one.updates[:-1], wrong])
    command = CombineRound(
        encode(one.round), tuple(encode(update) for update in ordered), selection.plan(one.round, ordered, {})
    )
    answers = [*running.send(command.packed(KEY)), *running.fire_all()]
    assert "3 bytes" in ShardFailed.of(unpack(answers[0])[2]).reason
    (answer,) = [*running.send(running.command(other)), *running.fire_all()]
    np.testing.assert_array_equal(model(other, answer), expected(other))
