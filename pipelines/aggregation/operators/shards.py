"""Flink functions that do the tensor work, on the shards of models.

A command whose work takes longer than a slice stays in Flink's state until it is done, and timers carry it on, so that
other tasks get their turn and checkpoints come through in between. What has been computed is no state: a restored
command starts again, from the log.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, ClassVar

from pyflink.common import Types
from pyflink.datastream import KeyedProcessFunction
from pyflink.datastream.state import ListStateDescriptor

from fluvial.wire.errors import ChunkUnavailable
from fluvial.wire.foreign_text import logger
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
    decoded_round,
)
from pipelines.aggregation.shards.chunk_source import ChunkSource
from pipelines.aggregation.shards.early_sums import EarlySums
from pipelines.aggregation.shards.shard import Shard
from pipelines.aggregation.shards.slices import Turns, Work
from pipelines.aggregation.shards.sums import ExactSums
from pipelines.aggregation.shards.tensor_memory import TensorMemory
from pipelines.config import Settings
from pipelines.flink import process_resources
from pipelines.flink.attempts import attempt_of
from pipelines.flink.keys import shard_of
from pipelines.flink.messages import unpack
from pipelines.flink.shared import ended_with

BATCH_MS = 100
"""Wait of an admitted update before a shard reads it. Timers are rounded, so that a batch has one."""

_log = logger(__name__)


class _OnShards(KeyedProcessFunction):
    """Keyed by shard. Commands are carried out slice by slice, those of several tasks in turn."""

    command: ClassVar[str]
    """Kind of the messages that ask for work and get an answer."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ends: list[Callable[[], None]] = []

    def open(self, ctx: Any) -> None:
        settings, topics = self._settings, self._settings.topics
        resources = self._resources = process_resources.acquire(settings, attempt_of(ctx))
        self._ends.append(ended_with(self, partial(process_resources.release, settings, attempt_of(ctx))))
        updates = resources.reader(topics.update_blobs, f"aggregation, {self.command}", cached=True)
        models = resources.reader(topics.model_blobs, "aggregation")
        # Nothing that outlives a call refers to the operator: then it goes when the engine lets go of it.
        sums = self._sums = resources.part(ExactSums, lambda: ExactSums(settings.tensor_memory_bytes))
        memory = TensorMemory(settings.tensor_memory_bytes)
        matches = [partial(resources.checked.matches, topic) for topic in (topics.update_blobs, topics.model_blobs)]
        self._new_shard: Callable[[str], Shard] = lambda key: Shard(
            ChunkSource(shard_of(key), settings.partitions, updates.chunk, models.chunk, *matches),
            sums,
            memory,
            slice_bytes=settings.slice_bytes,
        )
        self._shards: dict[str, Shard] = {}
        self._unfinished = ctx.get_list_state(ListStateDescriptor("unfinished", Types.PICKLED_BYTE_ARRAY()))
        self._turns: dict[str, Turns[bytes | None]] = {}
        self._stored: dict[str, dict[str, bytes]] = {}
        self._next_slice: dict[str, int] = {}

    def close(self) -> None:
        while self._ends:
            self._ends.pop()()

    def process_element(self, value: bytes, ctx: Any) -> Iterator[bytes]:
        message = bytes(value)
        key, kind, parts = unpack(message)
        turns = self._turns_of(key)
        if kind != self.command:
            self._note(self._shard(key), kind, parts, ctx)
            return
        name, work = self._work(self._shard(key), parts)
        turns.add_first(name, work)
        # Most work ends with its first slice, and never gets into the state.
        yield from self._slice(key, ctx)
        if name in turns:
            self._stored[key][name] = message
            self._unfinished.add(message)

    def on_timer(self, timestamp: int, ctx: Any) -> Iterator[bytes]:
        key = ctx.get_current_key()
        if self._next_slice.get(key) == timestamp:
            del self._next_slice[key]
        self._turns_of(key)
        self._wake(key, timestamp)
        yield from self._slice(key, ctx)

    def _slice(self, key: str, ctx: Any) -> Iterator[bytes]:
        """One slice of one task's work; a timer for the next."""
        turns, stored = self._turns_of(key), self._stored[key]
        ended = turns.take()
        if len(turns) and key not in self._next_slice:
            self._next_slice[key] = int(time.time() * 1000)
            ctx.timer_service().register_processing_time_timer(self._next_slice[key])
        if ended is None:
            return
        name, answer = ended
        if stored.pop(name, None) is not None:
            self._unfinished.update(list(stored.values()))
        if answer is not None:
            yield answer

    def _turns_of(self, key: str) -> Turns[bytes | None]:
        """The shard's work; the first time with the commands that a checkpoint brought back."""
        if key not in self._turns:
            turns = self._turns[key] = Turns()
            stored = self._stored[key] = {}
            for message in map(bytes, self._unfinished.get()):
                name, work = self._work(self._shard(key), unpack(message)[2])
                turns.add(name, work)
                stored[name] = message
        return self._turns[key]

    def _shard(self, key: str) -> Shard:
        """The key's shard. Keys of a job of another parallelism come back with its unfinished commands."""
        if key not in self._shards:
            self._shards[key] = self._new_shard(key)
            self._begun(shard_of(key))
        return self._shards[key]

    def _begun(self, shard: int) -> None:
        """This operator works on the shard from now on."""

    def _work(self, shard: Shard, parts: list[bytes]) -> tuple[str, Work[bytes | None]]:
        """A name for the command's work, and the work, which gives the answer."""
        raise NotImplementedError

    def _note(self, shard: Shard, kind: str, parts: list[bytes], ctx: Any) -> None:
        """A message that asks for no answer."""

    def _wake(self, key: str, timestamp: int) -> None:
        """A timer fired."""


class Measure(_OnShards):
    """First pass of rules that compare updates: partial Gram matrices or norms, by chunk."""

    command = MeasureRound.kind

    def _work(self, shard: Shard, parts: list[bytes]) -> tuple[str, Work[bytes | None]]:
        asked = MeasureRound.of(parts)
        round_, updates = asked.round, asked.updates
        place, key = Place(round_.round, round_.attempt), f"{round_.task}/{round_.round}"

        def work() -> Work[bytes | None]:
            found = yield from shard.measure(round_, updates)
            return Measured(place, dict(sorted(found.items()))).packed(key)

        return _name(round_.task, place), _answered(work(), lambda reason: NotMeasured(place, reason).packed(key))


class Combine(_OnShards):
    """Second pass, and the only one of linear rules: sums, and the chunks of the new model."""

    command = CombineRound.kind

    def open(self, ctx: Any) -> None:
        super().open(ctx)
        self._writer = self._resources.writer(ctx, self._settings.topics.model_blobs, "models")
        self._noted: defaultdict[str, dict[str, int]] = defaultdict(dict)
        self._early_sums = self._resources.part(EarlySums, lambda: EarlySums(self._sums))

    def _work(self, shard: Shard, parts: list[bytes]) -> tuple[str, Work[bytes | None]]:
        asked = CombineRound.of(parts)
        round_, updates = asked.round, asked.updates
        place = Place(round_.round, round_.attempt)

        def work() -> Work[bytes | None]:
            chunks = yield from shard.combine(round_, updates, asked.plan, self._writer)
            # The next round reads them as its base.
            for reference in chunks.values():
                self._resources.checked.remember(self._settings.topics.model_blobs, reference)
            return ShardDone(place, chunks).packed(round_.task)

        return _name(round_.task, place), _answered(
            work(), lambda reason: ShardFailed(place, reason).packed(round_.task)
        )

    def _begun(self, shard: int) -> None:
        # Where the content check runs in this process, the shard's chunks are summed while it has them.
        self._ends.append(self._resources.announcements.subscribe(shard, self._early_sums))

    def _note(self, shard: Shard, kind: str, parts: list[bytes], ctx: Any) -> None:
        if kind == Begin.kind:
            shard.begin(decoded_round(Begin.of(parts).encoded_round))
            return
        added = Add.of(parts)
        for update in added.updates:
            shard.add(added.task, *added.place, update)
        # Updates that come together are read together.
        ripe_ms = (int(time.time() * 1000) // BATCH_MS + 2) * BATCH_MS
        self._noted[ctx.get_current_key()].setdefault(added.task, ripe_ms)
        ctx.timer_service().register_processing_time_timer(ripe_ms)

    def _wake(self, key: str, timestamp: int) -> None:
        noted, turns = self._noted[key], self._turns_of(key)
        for task in [task for task, ripe_ms in noted.items() if ripe_ms <= timestamp]:
            del noted[task]
            turns.add(f"{task} as it comes", self._accumulated(self._shard(key), task))

    @staticmethod
    def _accumulated(shard: Shard, task: str) -> Work[bytes | None]:
        yield from shard.accumulate(task)
        return None


def _name(task: str, place: Place) -> str:
    return f"{task}/{place.round}/{place.attempt}"


def _answered(work: Work[bytes | None], failed: Callable[[str], bytes]) -> Work[bytes | None]:
    """The work's answer, or where it cannot be done on what the log holds the one that says why. A broker that does not
    answer is no such reason: then the job starts again, and with it the work."""
    try:
        return (yield from work)
    except ChunkUnavailable as error:
        return failed(f"a chunk is not available: {error}")
    except (ValueError, ArithmeticError) as error:
        _log.warning("updates that were accepted cannot be worked on", exc_info=error)
        return failed(f"{type(error).__name__}: {error}")
