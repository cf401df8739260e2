"""Participants and rounds for measurements, signed by the keys that may sign them: without the ceremonies (tokens,
enrolment requests) that are not measured here."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future

from deploy.federation.keys import ServiceKeys
from fluvial.identity.envelope import seal
from fluvial.identity.keys import SigningKey
from fluvial.kafka import Position, Transport
from fluvial.registry.records import registry_key
from fluvial.wire.layout import layout_digest, num_elements
from fluvial.wire.records import (
    DeviceProfile,
    Participant,
    ParticipantStatus,
    Round,
    RoundStatus,
    Task,
    TensorLayout,
    WindowMode,
)
from fluvial.wire.task_file import TaskFile
from fluvial.wire.topics import Topics
from models.aggregation.fixed_point import fraction_bits
from pipelines.aggregation.rounds.terms import rule_json

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
                topics.scope,
            ),
            key=f"participant/{name}".encode(),
        )
        for name, key in participants.items()
    )


def announce(
    transport: Transport, topics: Topics, keys: ServiceKeys, tasks: Iterable[Task], rounds: Iterable[Round]
) -> None:
    """Put tasks into the registry, as the operator, and open their rounds, as the aggregator."""
    wait(
        transport.produce(
            topics.registry, seal(task, keys.operator, "operator", topics.scope), key=registry_key(task).encode()
        )
        for task in tasks
    )
    wait(
        transport.produce(
            topics.rounds, seal(round_, keys.aggregator, "aggregator", topics.scope), key=round_.task.encode()
        )
        for round_ in rounds
    )


def task_record(task_file: TaskFile, layout: tuple[TensorLayout, ...], base_digest: bytes) -> Task:
    """A task whose initial model's chunks nobody will ask for."""
    return Task(
        task=task_file.task,
        specification=task_file.specification(),
        layout=layout,
        base_version=0,
        base_digest=base_digest,
        base_chunks=(),
        created_ms=int(time.time() * 1000),
    )


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
        server_optimizer="",
        optimizer_chunks=(),
        window=WindowMode.SYNCHRONOUS,
        grace_ms=0,
        max_staleness=0,
        staleness="",
        seed=bytes(32),
        invited_fraction=1.0,
        partial=False,
        encodings=tuple(task_file.encodings),
        agreement="",
        training="{}",
    )


def wait(sent: Iterable[Future[Position]]) -> list[Position]:
    """Where the records lie, once all are acknowledged. Raises TransportError."""
    return [future.result(_ACKNOWLEDGED_SECONDS) for future in list(sent)]
