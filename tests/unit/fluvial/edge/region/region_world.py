"""A region between two federations in memory: the parent above and the region's aggregation below are played here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fluvial.edge.region.events import Event
from fluvial.edge.region.region import Region
from fluvial.edge.registry import Registry
from fluvial.encoding.chunks import split
from fluvial.identity.envelope import seal
from fluvial.identity.keys import SigningKey
from fluvial.wire.layout import chunk_partition, model_digest
from fluvial.wire.records import ChunkReference, ModelManifest, ModelUpdate, Round, RoundStatus, Task
from fluvial.wire.task_file import TaskFile
from tests.unit.fluvial.edge.world import (
    AGGREGATOR,
    CHUNK_ELEMENTS,
    OPERATOR,
    PARTITIONS,
    TASK,
    World,
    a_federation,
    topic_partitions,
)
from tests.unit.fluvial.kafka.memory_transport import MemoryTransport

KEY = SigningKey.from_seed(b"w" * 32)
BELOW = "demo-west"
SIZE = 1050
TASK_FILE: dict[str, Any] = {
    "task": BELOW,
    "title": "A region of the tests",
    "model": {"architecture": "linear"},
    "rounds": 0,
    "quorum": 1,
    "target": 2,
    "deadline_seconds": 10,
    "limits": {"max_abs": 10.0, "max_weight": 100, "fraction_bits": 30},
    "chunk_elements": CHUNK_ELEMENTS,
    "partial": True,
    "agreement": {"name": "west-terms", "text": "For the west only."},
}


def a_parent_round(world: World, number: int = 1, attempt: int = 1, **changes: Any) -> Round:
    values: dict[str, Any] = {"encodings": ("float32", "partial_sum"), **changes}
    return replace(world.a_round(number, attempt), **values)


class RegionWorld:
    """Both federations. `reactions` answer the region's events by their kind's name, as another party would."""

    def __init__(self, path: Path) -> None:
        self.path = path
        upper, lower = a_federation("above", "above."), a_federation("below", "below.")
        self.upper_transport = MemoryTransport(topic_partitions(upper))
        self.lower_transport = MemoryTransport(topic_partitions(lower))
        self.above, self.below = World(upper, self.upper_transport), World(lower, self.lower_transport)
        self.events: list[Event] = []
        self.proves = True

    def open(self, number: int = 1, attempt: int = 1, **changes: Any) -> Round:
        """A round of the parent."""
        round_ = a_parent_round(self.above, number, attempt, **changes)
        if self.proves:
            self.above.prove(round_)
        self.above.put(self.above.topics.rounds, TASK, seal(round_, AGGREGATOR, "aggregator"))
        return round_

    def finish(self, number: int, attempt: int = 1) -> Round:
        """The end of the parent's task, after round `number`."""
        model = np.full(SIZE, number + 1, np.float32)
        chunks, digest = self.above.publish_model(model)
        fields = {"base_version": number, "base_chunks": chunks, "base_digest": digest}
        return self.open(number, attempt, status=RoundStatus.FINISHED, **fields)

    def add_up(self, round_: Round, signer: SigningKey = AGGREGATOR, **changes: Any) -> ModelManifest:
        """What the region's aggregation publishes for the parent's round."""
        raw = a_sum(round_.round)
        chunks = []
        for index, chunk in enumerate(split(raw, CHUNK_ELEMENTS * 8)):
            at = self.lower_transport.produce(
                self.below.topics.model_blobs,
                bytes(chunk),
                key=b"sum",
                partition=chunk_partition(BELOW, index, PARTITIONS),
            ).result(1)
            digest = hashlib.sha256(chunk).digest()
            chunks.append(ChunkReference(partition=at.partition, offset=at.offset, length=len(chunk), sha256=digest))
        values: dict[str, Any] = {
            "task": BELOW,
            "version": round_.round,
            "parent_version": round_.base_version,
            "parent_digest": round_.base_digest,
            "round": round_.round,
            "attempt": 1,
            "rule": '{"name":"weighted_mean"}',
            "server_optimizer": "",
            "staleness": "",
            "optimizer_chunks": (),
            "partial": True,
            "fraction_bits": round_.fraction_bits,
            "total_weight": 7,
            "layout": round_.layout,
            "num_elements": SIZE,
            "chunk_elements": CHUNK_ELEMENTS,
            "chunks": tuple(chunks),
            "model_digest": model_digest(chunk.sha256 for chunk in chunks),
            "contributions": (),
            "created_ms": 1,
        }
        manifest = ModelManifest(**{**values, **changes})
        key = f"{manifest.task}/{manifest.version}"
        self.below.put(self.below.topics.models, key, seal(manifest, signer, "aggregator"))
        return manifest

    def region(self, **changes: Any) -> Region:
        """The region's process; a second one continues from the logs and the outbox."""
        return Region(
            TaskFile.model_validate({**TASK_FILE, **changes}),
            self.below.federation,
            self.above.federation,
            "west",
            KEY,
            OPERATOR,
            self.path / "west.sqlite",
            parent_task=TASK,
            transports=(self.lower_transport, self.upper_transport),
        )

    def run(self, region: Region | None = None, **reactions: Callable[[Any], Any]) -> int:
        """Run a region to its end."""

        def on_event(event: Event) -> None:
            self.events.append(event)
            reaction = reactions.get(type(event).__name__)
            if reaction is not None:
                reaction(event)

        region = region or self.region()
        try:
            return region.run(on_event)
        finally:
            region.close()

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def updates(self) -> list[ModelUpdate]:
        """What came up."""
        return self.above.updates(KEY.public_key)

    def registered(self) -> Task | None:
        """The region's task below."""
        return self._registry().task(BELOW)

    def has_agreement(self) -> bool:
        return self._registry().terms("west-terms") is not None

    def num_registered(self) -> int:
        """How often the task was registered."""
        key = f"task/{BELOW}".encode()
        return sum(message.key == key for message in self.lower_transport.messages(self.below.topics.registry))

    def _registry(self) -> Registry:
        registry = Registry(self.lower_transport, self.below.federation)
        registry.refresh()
        return registry


def a_sum(number: int) -> bytes:
    """Integers of a region's sum, of round `number`."""
    return np.arange(number, SIZE + number, dtype="<i8").tobytes()
