"""Flink function of acceleration: it hands published models to a worker process, and writes what comes back."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from pyflink.common import Types
from pyflink.datastream import KeyedProcessFunction
from pyflink.datastream.state import ValueStateDescriptor

from fluvial.identity.envelope import seal, unseal
from fluvial.identity.keys import SigningKey
from fluvial.wire.acceleration import AccelerationSpec
from fluvial.wire.errors import ChunkUnavailable, FluvialError
from fluvial.wire.framing import decode
from fluvial.wire.layout import chunk_partition
from fluvial.wire.records import ChunkReference, Failure, ModelManifest, Task, Variant
from fluvial.wire.task_file import TaskFile
from models.acceleration.workshop import Order, Product
from pipelines.acceleration import logic
from pipelines.acceleration.workers import Worker
from pipelines.config import Settings
from pipelines.flink.audit_frames import audit_frame
from pipelines.flink.blobs import shared_reader
from pipelines.flink.chunk_writer import chunk_writer
from pipelines.flink.frames import sink_frame
from pipelines.flink.log_reader import SETTLE_SECONDS, read_to_end
from pipelines.flink.manifests import read_model
from pipelines.flink.messages import unpack
from pipelines.flink.tasks import acceleration_of

LOOK_MS = 250
"""Pause between two looks at what the worker has made."""

_CHUNK_BYTES = 1 << 20
_log = logging.getLogger(__name__)


class Accelerate(KeyedProcessFunction):
    """Keyed by task: variants of each newest model. Output: sink frames of variants, measurements and their events."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def open(self, ctx: Any) -> None:
        settings = self._settings
        self._topics = settings.topics
        self._key = SigningKey.load(settings.keys_dir / "aggregator.pem")
        self._reader = shared_reader(
            settings.brokers,
            settings.topics.model_blobs,
            purpose="acceleration",
            cache_bytes=0,
            timeout_ms=settings.read_timeout_ms,
        )
        self._writer = chunk_writer(settings, ctx, self._topics.variant_blobs, "variants")
        self._workers: dict[str, tuple[ModelManifest, AccelerationSpec, Worker]] = {}
        self._recorded: list[Variant] | None = None
        self._task = ctx.get_state(ValueStateDescriptor("task", Types.PICKLED_BYTE_ARRAY()))
        self._waiting = ctx.get_state(ValueStateDescriptor("waiting", Types.PICKLED_BYTE_ARRAY()))
        self._built = ctx.get_state(ValueStateDescriptor("built", Types.LONG()))

    def close(self) -> None:
        for _, _, worker in self._workers.values():
            worker.close()
        self._workers.clear()

    def process_element(self, value: bytes, ctx: Any) -> Iterator[bytes]:
        _, kind, parts = unpack(bytes(value))
        if kind == "task":
            self._task.update(parts[0])
        else:
            self._publish(parts[0])
        if self._waiting.value() is not None and self._spec() is not None:
            ctx.timer_service().register_processing_time_timer(int(time.time() * 1000) + 1)
        return iter(())

    def on_timer(self, timestamp: int, ctx: Any) -> Iterator[bytes]:
        now_ms = int(time.time() * 1000)
        task = ctx.get_current_key()
        if task not in self._workers:
            self._start(task)
        if task not in self._workers:
            return
        manifest, spec, worker = self._workers[task]
        over = worker.is_over
        for product, artefact in worker.finished():
            yield from self._record(manifest, spec, product, artefact, now_ms)
        if over:
            del self._workers[task]
            worker.close()
            # Only now: a restart before this moment builds the version again, to the same records.
            self._built.update(manifest.version)
            waiting = self._waiting.value()
            if waiting is not None and decode(bytes(waiting), ModelManifest).version <= manifest.version:
                self._waiting.clear()
                return
        ctx.timer_service().register_processing_time_timer(now_ms + LOOK_MS)

    def timer_set_aside(self, timestamp: int, ctx: Any, failure: Failure) -> Iterator[bytes]:
        """The version in hand gets no variants: each that its terms name is recorded as failed."""
        waiting, spec = self._waiting.value(), self._spec()
        if waiting is None:
            return
        manifest, task = decode(bytes(waiting), ModelManifest), ctx.get_current_key()
        if task in self._workers:
            self._workers.pop(task)[2].close()
        self._built.update(manifest.version)
        self._waiting.clear()
        if spec is None:
            return
        for variant in spec.variants:
            product = Product(name=variant.name, builders={}, failure=f"the stage raised {failure.error}")
            yield from self._record(manifest, spec, product, b"", int(time.time() * 1000))

    def _publish(self, manifest: bytes) -> None:
        """Keep the newest manifest. Whether the log has its variants already is asked when the task is known."""
        waiting = self._waiting.value()
        newest = decode(bytes(waiting), ModelManifest).version if waiting is not None else 0
        if decode(manifest, ModelManifest).version > newest:
            self._waiting.update(manifest)

    def _start(self, task: str) -> None:
        spec, waiting = self._spec(), self._waiting.value()
        if spec is None or waiting is None:
            return
        manifest = decode(bytes(waiting), ModelManifest)
        if manifest.version <= self._newest_built(task, spec):
            self._waiting.clear()
            return
        specification = decode(bytes(self._task.value()), Task).specification
        if not logic.is_due(spec, manifest.version, TaskFile.model_validate_json(specification).rounds):
            self._waiting.clear()
            return
        try:
            model = read_model(self._reader, manifest)
        except ChunkUnavailable as error:
            _log.warning("%s version %d gets no variants: %s", task, manifest.version, error)
            self._built.update(manifest.version)
            self._waiting.clear()
            return
        root = self._settings.repository_root
        order = Order(
            specification=specification,
            packages=tuple(map(str, self._settings.packages)),
            variants=tuple(spec.variants),
            calibration=str(root / spec.calibration),
            gate=str(root / spec.gate),
            batch=spec.policy.batch,
        )
        self._workers[task] = manifest, spec, Worker(order, model, root)

    def _record(
        self, manifest: ModelManifest, spec: AccelerationSpec, product: Product, artefact: bytes, now_ms: int
    ) -> Iterator[bytes]:
        topics = self._topics
        chunks = self._upload(manifest, product.name, artefact)
        variant = logic.variant_record(manifest, spec, product, chunks, now_ms)
        key = f"{manifest.task}/{manifest.version}/{product.name}".encode()
        yield sink_frame(topics.variants, key, seal(variant, self._key, logic.WORKER))
        yield audit_frame(topics, variant, manifest.created_ms)
        measurement = logic.measurement_record(manifest, product, now_ms)
        if measurement is not None:
            yield sink_frame(topics.measurements, logic.WORKER.encode(), seal(measurement, self._key, logic.WORKER))

    def _upload(self, manifest: ModelManifest, name: str, artefact: bytes) -> tuple[ChunkReference, ...]:
        """Write the artefact's chunks, durable before the record that names them."""
        pieces = [artefact[first : first + _CHUNK_BYTES] for first in range(0, len(artefact), _CHUNK_BYTES)]
        for index, piece in enumerate(pieces):
            partition = chunk_partition(manifest.task, index, self._settings.partitions)
            self._writer.send(index, partition, f"{manifest.task}/{manifest.version}/{name}/{index}".encode(), piece)
        places = self._writer.flush()
        return tuple(
            ChunkReference(
                partition=places[index][0], offset=places[index][1], length=len(piece), sha256=sha256(piece).digest()
            )
            for index, piece in enumerate(pieces)
        )

    def _spec(self) -> AccelerationSpec | None:
        """The task's terms of acceleration; None for a task that is not heard of yet, or has none."""
        stored = self._task.value()
        if stored is None:
            return None
        return acceleration_of(decode(bytes(stored), Task))

    def _newest_built(self, task: str, spec: AccelerationSpec) -> int:
        built = self._built.value()
        if built is None:
            built = self._of_log(task, spec)
            self._built.update(built)
        return int(built)

    def _of_log(self, task: str, spec: AccelerationSpec) -> int:
        """The newest version whose variants the log holds; read once, when first asked."""
        if self._recorded is None:
            self._recorded = []
            public_key = bytes.fromhex(self._settings.aggregator_key)
            topic = self._topics.variants
            for record in read_to_end(self._settings.brokers, topic, settle_seconds=SETTLE_SECONDS):
                try:
                    self._recorded.append(unseal(record.value, Variant, public_key))
                except FluvialError as error:
                    _log.warning("%s/%d@%d is not trusted: %s", topic, record.partition, record.offset, error)
        return logic.newest_complete(self._recorded, task, spec)
