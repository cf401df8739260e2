"""Flink functions that do the tensor work, on the shards of models."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

from pyflink.datastream import KeyedProcessFunction

from fluvial.wire.framing import decode
from fluvial.wire.records import AcceptedUpdate
from pipelines.aggregation.shards import Shard
from pipelines.aggregation.streams import decoded_round, round_and_updates
from pipelines.aggregation.task_state import chunks_json
from pipelines.config import Settings
from pipelines.flink.blobs import BlobWriter, shared_reader
from pipelines.flink.digests import CHECKED
from pipelines.flink.environment import MAX_PARALLELISM
from pipelines.flink.keys import shard_keys
from pipelines.flink.messages import pack, unpack

BATCH_MS = 100
"""Wait of an admitted update before a shard reads it. Timers are rounded, so that a batch has one."""


class _OnShards(KeyedProcessFunction):
    """Keyed by shard. No Flink state: what a shard has accumulated is a cache over the log."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def open(self, ctx: Any) -> None:
        settings, topics = self._settings, self._settings.topics
        timeout_ms = settings.read_timeout_ms
        updates = shared_reader(
            settings.bootstrap_servers,
            topics.update_blobs,
            purpose=f"aggregation {type(self).__name__}",
            cache_bytes=settings.chunk_cache_bytes,
            timeout_ms=timeout_ms,
        )
        models = shared_reader(
            settings.bootstrap_servers, topics.model_blobs, purpose="aggregation", cache_bytes=0, timeout_ms=timeout_ms
        )
        keys = shard_keys(settings.partitions, settings.parallelism, MAX_PARALLELISM)
        self._shards = {
            key: Shard(
                shard, settings.partitions, updates.chunk, models.chunk, partial(CHECKED.matches, topics.update_blobs)
            )
            for shard, key in enumerate(keys)
        }


class Measure(_OnShards):
    """First pass of rules that compare updates: partial Gram matrices, by chunk."""

    def process_element(self, value: bytes, ctx: Any) -> Iterator[bytes]:
        key, _, parts = unpack(bytes(value))
        round_, updates = round_and_updates(parts)
        grams = self._shards[key].measure(round_, updates)
        about = json.dumps({"attempt": round_.attempt, "chunks": sorted(grams)}).encode()
        matrices = b"".join(grams[index].astype("<f8").tobytes() for index in sorted(grams))
        yield pack(f"{round_.task}/{round_.round}", "measured", [about, matrices])


class Combine(_OnShards):
    """Second pass, and the only one of linear rules: sums, and the chunks of the new model."""

    def open(self, ctx: Any) -> None:
        super().open(ctx)
        self._writer = BlobWriter(
            self._settings.bootstrap_servers,
            self._settings.topics.model_blobs,
            timeout_ms=self._settings.read_timeout_ms,
        )

    def process_element(self, value: bytes, ctx: Any) -> Iterator[bytes]:
        key, kind, parts = unpack(bytes(value))
        shard = self._shards[key]
        if kind == "begin":
            shard.begin(decoded_round(parts[0]))
        elif kind == "add":
            shard.add(decode(parts[0], AcceptedUpdate))
            # Updates that come together are read together.
            ctx.timer_service().register_processing_time_timer((int(time.time() * 1000) // BATCH_MS + 2) * BATCH_MS)
        else:
            round_, updates = round_and_updates(parts)
            chunks = shard.combine(round_, updates, self._writer)
            about = json.dumps([round_.round, round_.attempt]).encode()
            yield pack(round_.task, "shard", [about, chunks_json(chunks)])

    def on_timer(self, timestamp: int, ctx: Any) -> Iterator[bytes]:
        self._shards[ctx.get_current_key()].accumulate()
        return iter(())
