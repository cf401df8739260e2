"""Flink function of acceleration: it hands published models to a worker process, and writes what comes back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyflink.common import Types
from pyflink.datastream import KeyedProcessFunction
from pyflink.datastream.state import ValueStateDescriptor

from fluvial.edge.packages import PackageError, Packages
from fluvial.identity.envelope import seal, unseal
from fluvial.identity.keys import SigningKey
from fluvial.wire.acceleration import AccelerationSpec
from fluvial.wire.errors import ChunkUnavailable, FluvialError
from fluvial.wire.foreign_text import logger
from fluvial.wire.framing import decode
from fluvial.wire.layout import chunk_partition
from fluvial.wire.records import ChunkReference, Failure, ModelManifest, Task, Variant
from fluvial.wire.tally import Tally
from fluvial.wire.task_file import TaskFile
from models.acceleration.workshop import Order, Product
from pipelines.acceleration import logic
from pipelines.acceleration.workers import Worker
from pipelines.config import Settings
from pipelines.flink import process_resources
from pipelines.flink.attempts import attempt_of
from pipelines.flink.audit_frames import audit_frame
from pipelines.flink.frames import sink_frame
from pipelines.flink.log_reader import SETTLE_SECONDS, read_to_end
from pipelines.flink.manifests import ManifestToMessage
from pipelines.flink.messages import unpack
from pipelines.flink.published_models import read_model
from pipelines.flink.shared import ended_with
from pipelines.registered_tasks import acceleration_of, newest

LOOK_MS = 250
"""Pause between two looks at what the worker has made."""

Terms = tuple[TaskFile, AccelerationSpec]

_CHUNK_BYTES = 1 << 20
_log = logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """A model whose variants are being built. terms: as they were when that began."""

    manifest: ModelManifest
    terms: Terms
    worker: Worker


class Accelerate(KeyedProcessFunction):
    """Keyed by task: variants of each newest model. Output: sink frames of variants, measurements and their events."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ends: list[Callable[[], None]] = []

    def open(self, ctx: Any) -> None:
        settings = self._settings
        self._topics = settings.topics
        self._key = SigningKey.load(settings.keys_dir / "aggregator.pem")
        resources = process_resources.acquire(settings, attempt_of(ctx))
        self._ends.append(ended_with(self, partial(process_resources.release, settings, attempt_of(ctx))))
        self._reader = resources.reader(settings.topics.model_blobs, "acceleration")
        self._writer = resources.writer(ctx, self._topics.variant_blobs, "variants")
        self._workers: dict[str, _Work] = {}
        self._ends.append(ended_with(self, partial(_end, self._workers)))
        self._recorded: list[Variant] | None = None
        self._task = ctx.get_state(ValueStateDescriptor("task", Types.PICKLED_BYTE_ARRAY()))
        self._waiting = ctx.get_state(ValueStateDescriptor("waiting", Types.PICKLED_BYTE_ARRAY()))
        self._built = ctx.get_state(ValueStateDescriptor("built", Types.LONG()))

    def close(self) -> None:
        while self._ends:
            self._ends.pop()()

    def process_element(self, value: bytes, ctx: Any) -> Iterator[bytes]:
        _, kind, parts = unpack(bytes(value))
        if kind == "task":
            self._task.update(newest(parts[0], self._task.value()))
        else:
            self._publish(parts[0])
        if self._waiting.value() is not None and self._terms() is not None:
            ctx.timer_service().register_processing_time_timer(int(time.time() * 1000) + 1)
        return iter(())

    def on_timer(self, timestamp: int, ctx: Any) -> Iterator[bytes]:
        now_ms = int(time.time() * 1000)
        task = ctx.get_current_key()
        if task not in self._workers:
            self._start(task)
        if task not in self._workers:
            return
        work = self._workers[task]
        over = work.worker.is_over
        for product, artefact in work.worker.finished():
            yield from self._record(work.manifest, work.terms, product, artefact, now_ms)
        if over:
            del self._workers[task]
            work.worker.close()
            # Only now: a restart before this moment builds the version again, to the same records.
            self._built.update(work.manifest.version)
            waiting = self._waiting.value()
            if waiting is not None and decode(bytes(waiting), ModelManifest).version <= work.manifest.version:
                self._waiting.clear()
                return
        ctx.timer_service().register_processing_time_timer(now_ms + LOOK_MS)

    def timer_set_aside(self, timestamp: int, ctx: Any, failure: Failure) -> Iterator[bytes]:
        """The version in hand gets no variants: each that its terms name is recorded as failed."""
        waiting, terms = self._waiting.value(), self._terms()
        if waiting is None:
            return
        manifest, task = decode(bytes(waiting), ModelManifest), ctx.get_current_key()
        if task in self._workers:
            self._workers.pop(task).worker.close()
        self._built.update(manifest.version)
        self._waiting.clear()
        if terms is None:
            return
        for variant in logic.ordered(*terms):
            product = Product(name=variant.name, builders={}, failure=f"the stage raised {failure.error}")
            yield from self._record(manifest, terms, product, b"", int(time.time() * 1000))

    def _publish(self, manifest: bytes) -> None:
        """Keep the newest manifest. Whether the log has its variants already is asked when the task is known."""
        waiting = self._waiting.value()
        newest = decode(bytes(waiting), ModelManifest).version if waiting is not None else 0
        if decode(manifest, ModelManifest).version > newest:
            self._waiting.update(manifest)

    def _start(self, task: str) -> None:
        terms, waiting = self._terms(), self._waiting.value()
        if terms is None or waiting is None:
            return
        task_file, spec = terms
        manifest = decode(bytes(waiting), ModelManifest)
        if manifest.version <= self._newest_built(terms) or not logic.is_due(spec, manifest.version, task_file):
            self._waiting.clear()
            return
        try:
            Packages(self._settings.packages).of(task_file)
        except PackageError as error:
            # Nothing is recorded, so that the next submission, with the package, finds the version without variants.
            _log.warning("%s version %d gets no variants from this job: %s", task, manifest.version, error)
            self._waiting.clear()
            return
        try:
            model = read_model(self._reader, manifest)
            reference = self._pruned(task_file)
        except ChunkUnavailable as error:
            _log.warning("%s version %d gets no variants: %s", task, manifest.version, error)
            self._built.update(manifest.version)
            self._waiting.clear()
            return
        root = self._settings.repository_root
        order = Order(
            specification=decode(bytes(self._task.value()), Task).specification,
            packages=tuple(map(str, self._settings.packages)),
            variants=tuple(logic.ordered(*terms)),
            calibration=spec.calibration,
            gate=spec.gate,
            root=str(root),
            metrics=spec.policy.metrics,
            batch=spec.policy.batch,
            device=self._settings.device,
        )
        self._workers[task] = _Work(manifest=manifest, terms=terms, worker=Worker(order, model, root, reference))

    def _pruned(self, task_file: TaskFile) -> NDArray[np.float32] | None:
        """The model, before it was pruned, that the task tunes a variant of: what the variant is compared with; None
        for a task that tunes none. Raises ChunkUnavailable where the log has it no more."""
        tunes = task_file.tunes
        if tunes is None:
            return None
        trusted = ManifestToMessage(self._settings)
        for record in read_to_end(self._settings.brokers, self._topics.models, settle_seconds=SETTLE_SECONDS):
            for message in trusted.of(record):
                manifest = decode(unpack(message)[2][0], ModelManifest)
                place = manifest.task, manifest.version, manifest.model_digest.hex()
                if place == (tunes.task, tunes.version, tunes.model_digest):
                    return read_model(self._reader, manifest)
        raise ChunkUnavailable(f"{tunes.task} has no version {tunes.version} with the digest that was pruned")

    def _record(
        self, manifest: ModelManifest, terms: Terms, product: Product, artefact: bytes, now_ms: int
    ) -> Iterator[bytes]:
        topics, (task_file, spec) = self._topics, terms
        source = logic.source_of(manifest, task_file)
        chunks = self._upload(source, product.name, artefact)
        variant = logic.variant_record(source, spec, product, chunks, now_ms)
        key = f"{source.task}/{source.version}/{product.name}".encode()
        yield sink_frame(topics.variants, key, seal(variant, self._key, logic.WORKER, topics.scope))
        yield audit_frame(topics, variant, manifest.created_ms)
        measurement = logic.measurement_record(source, product, now_ms)
        if measurement is not None:
            sealed = seal(measurement, self._key, logic.WORKER, topics.scope)
            yield sink_frame(topics.measurements, logic.WORKER.encode(), sealed)

    def _upload(self, source: logic.Source, name: str, artefact: bytes) -> tuple[ChunkReference, ...]:
        """Write the artefact's chunks, durable before the record that names them."""
        pieces = [artefact[first : first + _CHUNK_BYTES] for first in range(0, len(artefact), _CHUNK_BYTES)]
        for index, piece in enumerate(pieces):
            partition = chunk_partition(source.task, index, self._settings.partitions)
            self._writer.send(index, partition, f"{source.task}/{source.version}/{name}/{index}".encode(), piece)
        places = self._writer.flush()
        return tuple(
            ChunkReference(
                partition=places[index][0], offset=places[index][1], length=len(piece), sha256=sha256(piece).digest()
            )
            for index, piece in enumerate(pieces)
        )

    def _terms(self) -> Terms | None:
        """The task's file and its terms of acceleration; None for a task that is not heard of yet, or has none."""
        stored = self._task.value()
        record = None if stored is None else decode(bytes(stored), Task)
        spec = None if record is None else acceleration_of(record)
        if record is None or spec is None:
            return None
        return TaskFile.model_validate_json(record.specification), spec

    def _newest_built(self, terms: Terms) -> int:
        built = self._built.value()
        if built is None:
            built = self._of_log(terms)
            self._built.update(built)
        return int(built)

    def _of_log(self, terms: Terms) -> int:
        """The newest version whose variants the log holds; read once, when first asked."""
        if self._recorded is None:
            self._recorded, skipped = [], Tally(_log)
            public_key = bytes.fromhex(self._settings.aggregator_key)
            topic = self._topics.variants
            for record in read_to_end(self._settings.brokers, topic, settle_seconds=SETTLE_SECONDS):
                try:
                    self._recorded.append(unseal(record.value, Variant, public_key, self._topics.scope))
                except FluvialError as error:
                    skipped.add(f"{topic}/{record.partition}@{record.offset}", str(error))
        return logic.newest_built(self._recorded, *terms)


def _end(workers: dict[str, _Work]) -> None:
    for work in workers.values():
        work.worker.close()
    workers.clear()
