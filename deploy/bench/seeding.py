"""Federations for measurements: enrolled participants, tasks and rounds, written straight to their topics by the keys
that may sign them, without the ceremonies (tokens, requests) that are not measured here."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future

import numpy as np
import numpy.typing as npt

from deploy.local.keys import ServiceKeys
from fluvial.edge.transport import Position, Transport
from fluvial.encoding.chunks import split
from fluvial.identity.envelope import seal
from fluvial.identity.keys import SigningKey
from fluvial.wire.layout import chunk_partition, layout_digest, model_digest, num_elements
from fluvial.wire.records import (
    ChunkReference,
    DeviceProfile,
    ModelManifest,
    Participant,
    ParticipantStatus,
    Round,
    RoundStatus,
    Task,
    TensorLayout,
)
from fluvial.wire.task_file import TaskFile
from fluvial.wire.topics import Topics
from models.aggregation.fixed_point import fraction_bits
from pipelines.aggregation.keeper import rule_json

_ACKNOWLEDGED_SECONDS = 60.0


def register(transport: Transport, topics: Topics, keys: ServiceKeys, participants: Mapping[str, SigningKey]) -> None:
    """Put participants into the registry, as the registrar."""
    device = DeviceProfile(platform="linux", machine="x86_64", memory_bytes=0, accelerator="", network="")
    now_ms = int(time.time() * 1000)
    wait(
        transport.produce(
            topics.registry,
            seal(
                Participant(
                    participant=name,
                    public_key=key.public_key,
                    status=ParticipantStatus.ACTIVE,
                    agreements=(),
                    device=device,
                    enrolled_ms=now_ms,
                    request_sha256=bytes(32),
                ),
                keys.registrar,
                "registrar",
            ),
            key=f"participant/{name}".encode(),
        )
        for name, key in participants.items()
    )


def create_task(
    transport: Transport,
    topics: Topics,
    keys: ServiceKeys,
    task_file: TaskFile,
    model_D: npt.NDArray[np.float32],
    layout: tuple[TensorLayout, ...],
) -> None:
    """Create a task whose initial model is this one, as the operator. D elements, which the layout adds up to."""
    task, chunk_elements = task_file.task, task_file.chunk_elements
    chunks = _write_model(transport, topics, task, model_D, chunk_elements)
    digest = model_digest(chunk.sha256 for chunk in chunks)
    now_ms = int(time.time() * 1000)
    manifest = ModelManifest(
        task=task,
        version=0,
        parent_version=-1,
        parent_digest=b"",
        round=0,
        attempt=0,
        rule=rule_json(task_file),
        fraction_bits=fraction_bits(task_file.target, task_file.limits.max_weight, task_file.limits.max_abs),
        total_weight=0,
        layout=layout,
        num_elements=model_D.size,
        chunk_elements=chunk_elements,
        chunks=chunks,
        model_digest=digest,
        contributions=(),
        created_ms=now_ms,
    )
    record = Task(
        task=task,
        specification=task_file.model_dump_json(),
        layout=layout,
        base_version=0,
        base_digest=digest,
        base_chunks=chunks,
        created_ms=now_ms,
    )
    wait([transport.produce(topics.models, seal(manifest, keys.operator, "operator"), key=f"{task}/0".encode())])
    wait([transport.produce(topics.registry, seal(record, keys.operator, "operator"), key=f"task/{task}".encode())])


def open_round(task_file: TaskFile, layout: tuple[TensorLayout, ...], base_digest: bytes) -> Round:
    """The first round of a task, as aggregation would announce it, for measurements in which it does not run."""
    now_ms = int(time.time() * 1000)
    limits = task_file.limits
    return Round(
        task=task_file.task,
        round=1,
        attempt=1,
        status=RoundStatus.OPEN,
        base_version=0,
        base_digest=base_digest,
        base_chunks=(),
        layout=layout,
        layout_digest=layout_digest(layout),
        num_elements=num_elements(layout),
        chunk_elements=task_file.chunk_elements,
        opened_ms=now_ms,
        deadline_ms=now_ms + int(task_file.deadline_seconds * 1000),
        quorum=task_file.quorum,
        target=task_file.target,
        max_abs=limits.max_abs,
        max_norm=limits.max_norm,
        max_weight=limits.max_weight,
        fraction_bits=fraction_bits(task_file.target, limits.max_weight, limits.max_abs),
        kept_versions=task_file.kept_versions,
        rule=rule_json(task_file),
        encodings=tuple(task_file.encodings),
        agreement="",
        training="{}",
    )


def wait(sent: Iterable[Future[Position]]) -> list[Position]:
    """Where the records lie, once all are acknowledged. Raises TransportError."""
    return [future.result(_ACKNOWLEDGED_SECONDS) for future in list(sent)]


def _write_model(
    transport: Transport, topics: Topics, task: str, model_D: npt.NDArray[np.float32], chunk_elements: int
) -> tuple[ChunkReference, ...]:
    partitions = transport.num_partitions(topics.model_blobs)
    chunks = [bytes(chunk) for chunk in split(model_D.astype("<f4").tobytes(), chunk_elements, 4)]
    positions = wait(
        transport.produce(
            topics.model_blobs,
            chunk,
            key=f"{task}/{index}/0".encode(),
            partition=chunk_partition(task, index, partitions),
        )
        for index, chunk in enumerate(chunks)
    )
    return tuple(
        ChunkReference(
            partition=position.partition,
            offset=position.offset,
            length=len(chunk),
            sha256=hashlib.sha256(chunk).digest(),
        )
        for chunk, position in zip(chunks, positions, strict=True)
    )
