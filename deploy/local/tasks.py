"""What an operator does: create a task with its first model, and issue tokens.

Chunks first, then the manifest, then the records of the registry, the task last: whoever learns of the task finds all
that it refers to.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.local.errors import StackError
from deploy.local.jars import CHECKOUT
from deploy.local.keys import ServiceKeys
from fluvial.edge.registry import Registry
from fluvial.edge.training.flat import layout_of
from fluvial.identity.envelope import seal
from fluvial.identity.federation import Federation
from fluvial.kafka import Position, Transport, connect
from fluvial.registry.order import next_version
from fluvial.registry.records import registry_key
from fluvial.wire.layout import chunk_partition
from fluvial.wire.names import check_participant
from fluvial.wire.records import (
    Agreement,
    ChunkReference,
    EnrolmentToken,
    ModelManifest,
    Participant,
    ParticipantStatus,
    Task,
)
from fluvial.wire.task_file import TaskFile
from models.architectures import build, initial_state
from models.evaluation.task import evaluator_of
from pipelines.aggregation.rounds import records

_SECONDS = 60.0
_CLOCK_MARGIN_MS = 60_000
_DAY_MS = 86_400_000
OPERATOR = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedTask:
    """A task that now exists, and the manifest of its model of version 0."""

    task: Task
    manifest: ModelManifest


def create_task(federation: Federation, keys: ServiceKeys, task_file: TaskFile) -> CreatedTask:
    """Publish the initial model, its manifest, the agreement and the task, signed by the operator.

    Raises ValueError for a task that could not run (its rule, optimizer, limits, architecture, evaluation set) and for
    a partial one, StackError if the task exists or its agreement does with another text, TransportUnavailable when the
    broker is away.
    """
    if task_file.partial:
        raise ValueError(
            f"the task {task_file.task} is partial: `fluvial region run` registers it, on its parent's model"
        )
    model = task_file.model
    layout = layout_of(build(model.architecture, model.parameters))
    records.check(task_file, layout)
    evaluator_of(task_file, CHECKOUT, "cpu")
    initial = initial_state(model.architecture, model.parameters, model.seed)
    with closing(connect(federation.brokers, OPERATOR)) as transport:
        registry = _registry(transport, federation)
        if registry.task(task_file.task) is not None:
            raise StackError(f"the task {task_file.task} exists already: see `fluvial task show {task_file.task}`")
        agreement = _new_agreement(task_file, registry)
        chunks = _publish_chunks(transport, federation, task_file, initial)
        manifest = records.first_manifest(task_file, layout, chunks, now_ms=_now_ms())
        sealed = seal(manifest, keys.operator, OPERATOR)
        transport.produce(federation.topics.models, sealed, key=f"{task_file.task}/0".encode()).result(_SECONDS)
        task = records.first_task(task_file, manifest)
        for record in [*([agreement] if agreement else []), task]:
            _register(transport, federation, keys, record)
    return CreatedTask(task=task, manifest=manifest)


def issue_token(federation: Federation, keys: ServiceKeys, participant: str, *, valid_days: float = 7.0) -> str:
    """A one-time token for one participant, 256 bits; only its digest is published. Raises TransportUnavailable."""
    with closing(connect(federation.brokers, OPERATOR)) as transport:
        return issue_tokens(transport, federation, keys, [participant], valid_days=valid_days)[participant]


def issue_tokens(
    transport: Transport, federation: Federation, keys: ServiceKeys, participants: list[str], *, valid_days: float = 7.0
) -> dict[str, str]:
    """Tokens by participant, over a connection that is there already.

    Raises ValueError for a name that cannot enrol, TransportUnavailable.
    """
    for participant in participants:
        check_participant(participant)
    tokens = {participant: secrets.token_urlsafe(32) for participant in participants}
    expires_ms = _now_ms() + int(valid_days * _DAY_MS)
    pending = [
        _send(
            transport,
            federation,
            keys,
            EnrolmentToken(
                token_sha256=hashlib.sha256(token.encode()).digest(), participant=participant, expires_ms=expires_ms
            ),
        )
        for participant, token in tokens.items()
    ]
    for sent in pending:
        sent.result(_SECONDS)
    return tokens


def revoke_participant(transport: Transport, federation: Federation, keys: ServiceKeys, name: str) -> Participant:
    """Take a participant's key out of force, for good: what it signs from now on is refused.

    Returns the record. Raises StackError for a name that is not enrolled, or revoked already, TransportUnavailable.
    """
    known = _registry(transport, federation).participant(name)
    if known is None:
        raise StackError(f"nobody is enrolled as {name}: names stand in `fluvial rounds invited TASK`")
    if known.status is ParticipantStatus.REVOKED:
        raise StackError(f"the participant {name} is revoked already")
    revoked = replace(known, status=ParticipantStatus.REVOKED, version=next_version(known))
    _register(transport, federation, keys, revoked)
    return revoked


def tasks(federation: Federation) -> list[Task]:
    """All tasks of the federation, by name. Raises TransportUnavailable."""
    with closing(connect(federation.brokers, OPERATOR)) as transport:
        return _registry(transport, federation).tasks()


def _registry(transport: Transport, federation: Federation) -> Registry:
    registry = Registry(transport, federation)
    try:
        registry.refresh()
    finally:
        registry.close()
    return registry


def _new_agreement(task_file: TaskFile, registry: Registry) -> Agreement | None:
    """The task's agreement, None where there is none or where it is registered already."""
    wanted = task_file.agreement
    if wanted is None:
        return None
    if (terms := registry.terms(wanted.name)) is not None:
        if terms.agreement.text != wanted.text:
            raise StackError(f"the agreement {wanted.name} exists with another text: give yours another name")
        return None
    now_ms = _now_ms()
    return Agreement(
        agreement=wanted.name,
        text=wanted.text,
        valid_from_ms=now_ms - _CLOCK_MARGIN_MS,
        valid_until_ms=now_ms + wanted.valid_days * _DAY_MS,
    )


def _publish_chunks(
    transport: Transport, federation: Federation, task_file: TaskFile, model: NDArray[np.float32]
) -> tuple[ChunkReference, ...]:
    size, topic = task_file.chunk_elements, federation.topics.model_blobs
    sent: list[tuple[bytes, Future[Position]]] = []
    for chunk, first in enumerate(range(0, len(model), size)):
        data = model[first : first + size].astype("<f4").tobytes()
        partition = chunk_partition(task_file.task, chunk, federation.partitions)
        key = f"{task_file.task}/{chunk}/0".encode()
        sent.append((data, transport.produce(topic, data, key=key, partition=partition)))
    references = []
    for data, future in sent:
        position = future.result(_SECONDS)
        digest = hashlib.sha256(data).digest()
        references.append(
            ChunkReference(partition=position.partition, offset=position.offset, length=len(data), sha256=digest)
        )
    return tuple(references)


def _register(transport: Transport, federation: Federation, keys: ServiceKeys, record: Any) -> None:
    _send(transport, federation, keys, record).result(_SECONDS)


def _send(transport: Transport, federation: Federation, keys: ServiceKeys, record: Any) -> Future[Position]:
    sealed = seal(record, keys.operator, OPERATOR)
    return transport.produce(federation.topics.registry, sealed, key=registry_key(record).encode())


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
