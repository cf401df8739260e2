"""Flink function of evaluation: an inference step for each published model, on the task's evaluation set."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyflink.common import Types
from pyflink.datastream import FlatMapFunction, KeyedProcessFunction
from pyflink.datastream.state import ListStateDescriptor, ValueStateDescriptor

from fluvial.identity.envelope import open_envelope, verify_envelope
from fluvial.wire.errors import ChunkUnavailable, FluvialError
from fluvial.wire.framing import decode, encode
from fluvial.wire.records import Metric, ModelManifest, Release, Task
from fluvial.wire.task_file import TaskFile
from models.datasets import load_evaluation
from models.evaluation.inference import Evaluator
from pipelines.config import Settings
from pipelines.flink.audit_frames import audit_frame
from pipelines.flink.blobs import BlobReader, shared_reader
from pipelines.flink.frames import parse_source, sink_frame
from pipelines.flink.messages import pack, unpack

_log = logging.getLogger(__name__)


class ManifestToMessage(FlatMapFunction):
    """Manifests of topic models, signed by the aggregator, or by the operator for an initial model."""

    def __init__(self, settings: Settings) -> None:
        self._keys = [bytes.fromhex(settings.aggregator_key), bytes.fromhex(settings.operator_key)]

    def flat_map(self, value: bytes) -> Iterator[bytes]:
        record = parse_source(bytes(value))
        try:
            envelope = open_envelope(record.value)
            if not any(verify_envelope(envelope, key) for key in self._keys):
                raise FluvialError("signed by nobody who may")
            manifest = decode(envelope.payload, ModelManifest)
        except FluvialError as error:
            _log.warning("models/%d@%d is not trusted: %s", record.partition, record.offset, error)
            return
        yield pack(manifest.task, "manifest", [envelope.payload])


class Evaluate(KeyedProcessFunction):
    """Keyed by task: measures each model once. Output: sink frames of topic releases and their events."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def open(self, ctx: Any) -> None:
        settings = self._settings
        self._reader: BlobReader = shared_reader(
            settings.brokers,
            settings.topics.model_blobs,
            purpose="evaluation",
            cache_bytes=0,
            timeout_ms=settings.read_timeout_ms,
        )
        self._evaluators: dict[str, Evaluator] = {}
        self._task = ctx.get_state(ValueStateDescriptor("task", Types.PICKLED_BYTE_ARRAY()))
        self._waiting = ctx.get_list_state(ListStateDescriptor("waiting", Types.PICKLED_BYTE_ARRAY()))

    def process_element(self, value: bytes, ctx: Any) -> Iterator[bytes]:
        _, kind, parts = unpack(bytes(value))
        if kind == "task":
            self._task.update(parts[0])
            self._evaluators.pop(decode(parts[0], Task).task, None)
            waiting = [bytes(data) for data in self._waiting.get()]
            self._waiting.clear()
            for manifest in waiting:
                yield from self._evaluate(decode(manifest, ModelManifest))
        elif self._task.value() is None:
            self._waiting.add(parts[0])
        else:
            yield from self._evaluate(decode(parts[0], ModelManifest))

    def _evaluate(self, manifest: ModelManifest) -> Iterator[bytes]:
        evaluator = self._evaluator(manifest.task)
        if evaluator is None:
            return
        try:
            vector = self._vector(manifest)
        except ChunkUnavailable as error:
            # An older version whose slot has been used again: there is nothing left to measure.
            _log.warning("%s version %d is no longer readable: %s", manifest.task, manifest.version, error)
            return
        started = time.perf_counter()
        try:
            metrics = evaluator.measure(vector)
        except ValueError as error:
            # A model may be useless; that is a finding, not a reason to stop. Its release has no metrics.
            _log.warning("%s version %d cannot be measured: %s", manifest.task, manifest.version, error)
            metrics = {}
        release = Release(
            task=manifest.task,
            version=manifest.version,
            model_digest=manifest.model_digest,
            metrics=tuple(Metric(name=name, value=value) for name, value in sorted(metrics.items())),
            num_examples=evaluator.num_examples,
            device=evaluator.device,
            duration_ms=round((time.perf_counter() - started) * 1000),
        )
        topics = self._settings.topics
        yield sink_frame(topics.releases, release.task.encode(), encode(release))
        yield audit_frame(topics, release, manifest.created_ms)

    def _evaluator(self, task: str) -> Evaluator | None:
        """The task's evaluator; None for a task without an evaluation set."""
        if task not in self._evaluators:
            specification = decode(bytes(self._task.value()), Task).specification
            task_file = TaskFile.model_validate_json(specification)
            if task_file.evaluation is None:
                return None
            data = load_evaluation(self._settings.repository_root / task_file.evaluation.data)
            self._evaluators[task] = Evaluator(
                task_file.model.architecture,
                task_file.model.parameters,
                data.inputs,
                data.targets,
                task_file.evaluation.metrics,
                device=self._settings.device,
                batch_size=task_file.evaluation.batch_size,
            )
        return self._evaluators[task]

    def _vector(self, manifest: ModelManifest) -> NDArray[np.float32]:
        """The flattened model, float32[num_elements]; every chunk's digest is checked."""
        parts: list[bytes] = [b""] * len(manifest.chunks)
        for index, chunk in self._reader.chunks(manifest.chunks):
            if sha256(chunk).digest() != manifest.chunks[index].sha256:
                raise ChunkUnavailable(f"chunk {index} is not the one that was published")
            parts[index] = chunk
        return np.frombuffer(b"".join(parts), dtype="<f4")
