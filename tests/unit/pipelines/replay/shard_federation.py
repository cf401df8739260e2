"""A federation's log in memory whose versions the jobs' own code has made: any rule, window and server optimizer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

import numpy as np

from fluvial.encoding.chunks import split
from fluvial.identity.envelope import seal
from fluvial.wire.layout import layout_digest, model_digest
from fluvial.wire.records import AcceptedUpdate, ChunkReference, ModelManifest, ModelUpdate, Round
from models.aggregation.plan import Measure
from models.aggregation.rule import parse_rule
from pipelines.aggregation.rounds.records import contributions
from pipelines.aggregation.rule import selection
from pipelines.aggregation.shards.chunk_source import ChunkSource
from pipelines.aggregation.shards.shard import Shard
from pipelines.aggregation.shards.sums import ExactSums
from pipelines.aggregation.shards.tensor_memory import TensorMemory
from tests.unit.pipelines.aggregation.builders import a_round
from tests.unit.pipelines.aggregation.shards.shard_world import run
from tests.unit.pipelines.replay.memory_log import (
    CHUNK_ELEMENTS,
    KEYS,
    LAYOUT,
    NUM_ELEMENTS,
    MemoryLog,
    manifest_of,
)

FRACTION_BITS = 14
"""So few that even rules with real coefficients and asynchronous windows fit the sums."""
NUM_CHUNKS = -(-NUM_ELEMENTS // CHUNK_ELEMENTS)


class ShardFederation:
    """Version 0 and further ones, each made by one shard from updates of all but `absent`, weighing 1, 2, 3, ...

    lags: by how many rounds each participant is behind, where there are earlier rounds. The updates of a round are the
    same whatever is published.
    """

    def __init__(
        self,
        rule: Mapping[str, Any],
        *,
        versions: int = 3,
        server_optimizer: Mapping[str, Any] | None = None,
        staleness: Mapping[str, Any] | None = None,
        lags: Mapping[str, int] | None = None,
        absent: Callable[[int], frozenset[str]] = lambda version: frozenset(),
        partial: bool = False,
    ) -> None:
        self.log = MemoryLog()
        model = np.random.default_rng(5).normal(size=NUM_ELEMENTS).astype(np.float32)
        self.log.published[0] = manifest_of(self.log, model, 0, parent_version=-1, fraction_bits=FRACTION_BITS)
        fields: dict[str, Any] = {
            "partial": partial,
            "rule": json.dumps(rule),
            "server_optimizer": json.dumps(server_optimizer) if server_optimizer else "",
            "staleness": json.dumps(staleness) if staleness else "",
        }
        for version in range(1, versions + 1):
            self._add_version(version, fields, lags or {}, absent(version))

    def model(self, version: int) -> np.ndarray:
        chunks = self.log.published[version].chunks
        return np.frombuffer(b"".join(self.log.model_chunks([(0, chunk.offset) for chunk in chunks])), "<f4")

    def _add_version(
        self, version: int, fields: Mapping[str, Any], lags: Mapping[str, int], absent: frozenset[str]
    ) -> None:
        parent = self.log.published[version - 1]
        round_ = a_round(
            task="t",
            round=version,
            base_version=parent.version,
            base_digest=parent.model_digest,
            base_chunks=parent.chunks,
            optimizer_chunks=parent.optimizer_chunks,
            layout=LAYOUT,
            layout_digest=layout_digest(LAYOUT),
            num_elements=NUM_ELEMENTS,
            chunk_elements=CHUNK_ELEMENTS,
            fraction_bits=FRACTION_BITS,
            kept_versions=100,
            **fields,
        )
        updates = selection.in_order(
            [
                self._update(round_, participant, weight, min(lags.get(participant, 0), version - 1))
                for weight, participant in enumerate(KEYS, start=1)
                if participant not in absent
            ]
        )
        shard = Shard(
            ChunkSource(0, 1, self._reader("update-blobs"), self._reader("model-blobs")),
            ExactSums(1 << 20),
            TensorMemory(1 << 20),
        )
        measured = {} if parse_rule(round_.rule).measure is Measure.NONE else run(shard.measure(round_, updates))
        plan = selection.plan(round_, updates, measured)
        taken = [update for update, weight in zip(updates, plan.effective_weights, strict=True) if weight]
        columns = [column for column, weight in enumerate(plan.effective_weights) if weight]
        narrow = replace(plan, rows=tuple(tuple(row[column] for column in columns) for row in plan.rows), scores=())
        self._sent: dict[int, tuple[int, int]] = {}
        written = run(shard.combine(round_, taken, narrow, self))
        chunks = tuple(written[index] for index in range(NUM_CHUNKS))
        self.log.published[version] = replace(
            parent,
            version=version,
            parent_version=parent.version,
            parent_digest=parent.model_digest,
            round=version,
            total_weight=plan.divisor,
            chunks=chunks,
            optimizer_chunks=tuple(written[index] for index in range(NUM_CHUNKS, len(written))),
            model_digest=model_digest(chunk.sha256 for chunk in chunks),
            contributions=contributions(updates, plan.effective_weights),
            **fields,
        )

    def _update(self, round_: Round, participant: str, weight: int, lag: int) -> AcceptedUpdate:
        base: ModelManifest = self.log.published[round_.base_version - lag]
        generator = np.random.default_rng([round_.round, weight])
        delta = generator.normal(size=NUM_ELEMENTS).astype(np.float32) / 8
        update = ModelUpdate(
            task="t",
            round=round_.round - lag,
            attempt=1,
            participant=participant,
            update_id=f"{participant}-{round_.round}",
            base_version=base.version,
            base_digest=base.model_digest,
            weight=weight,
            encoding="float32",
            layout_digest=layout_digest(LAYOUT),
            scales=(),
            inline=None,
            chunks=self.log.upload("update-blobs", map(bytes, split(delta.tobytes(), 4 * CHUNK_ELEMENTS))),
            created_ms=0,
        )
        raw = seal(update, KEYS[participant], participant)
        return AcceptedUpdate(
            task="t",
            round=update.round,
            attempt=1,
            participant=participant,
            update_id=update.update_id,
            source_partition=0,
            source_offset=self.log.append("updates", raw),
            source_timestamp_ms=0,
            record_sha256=sha256(raw).digest(),
            weight=weight,
            encoding="float32",
            scales=(),
            inline=None,
            chunks=update.chunks,
        )

    def _reader(self, topic: str) -> Callable[[ChunkReference], bytes]:
        def read(reference: ChunkReference) -> bytes:
            value = self.log.topics[topic][reference.offset]
            assert value is not None
            return value

        return read

    def send(self, index: int, partition: int, key: bytes, chunk: bytes) -> None:
        self._sent[index] = partition, self.log.append("model-blobs", chunk)

    def flush(self) -> dict[int, tuple[int, int]]:
        sent, self._sent = self._sent, {}
        return sent


RULES: Sequence[dict[str, Any]] = (
    {"name": "weighted_mean"},
    {"name": "unweighted_mean"},
    {"name": "multi_krum", "num_byzantine": 1},
    {"name": "median"},
    {"name": "geometric_median"},
    {
        "name": "clipped",
        "max_norm": 0.25,
        "rule": {
            "name": "nearest_neighbour_mixing",
            "num_byzantine": 1,
            "rule": {"name": "trimmed_mean", "num_byzantine": 1},
        },
    },
)
