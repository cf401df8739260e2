"""A task's terms, checked by what will run them: creating a task with its first model, and registering it again.

The agreement first, then chunks, the manifest, and the task last: whoever learns of the task finds all that it refers
to. What else an operator does is in `fluvial.registry.acts`.
"""

from __future__ import annotations

import hashlib
import time
from concurrent.futures import Future
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from deploy.acts.first_model import first_model
from deploy.federation.keys import ServiceKeys
from fluvial.edge.packages import Packages
from fluvial.edge.packages.allowed import NO_PACKAGES
from fluvial.identity.envelope import seal
from fluvial.identity.federation import Federation
from fluvial.kafka import Position, Transport, connect
from fluvial.registry.acts import OPERATOR, ActRefused, OperatorActs
from fluvial.registry.order import next_version
from fluvial.wire.layout import chunk_partition
from fluvial.wire.records import ChunkReference, ModelManifest, Task
from fluvial.wire.task_file import TaskFile
from pipelines.aggregation.rounds import records, terms

_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedTask:
    """A task that now exists, and the manifest of its model of version 0."""

    task: Task
    manifest: ModelManifest


def create_task(
    federation: Federation,
    keys: ServiceKeys,
    task_file: TaskFile,
    packages: Packages = NO_PACKAGES,
    *,
    first: NDArray[np.float32] | None = None,
    connected: Transport | None = None,
) -> CreatedTask:
    """Publish the initial model, its manifest, the agreement and the task, signed by the operator.

    packages: those whose code may run here. The task is signed with the digests of its package and of the weights that
    do not travel. first: float32[D], the model to start from; that of the task's code without it. connected: a
    connection that is there already, and stays open.

    Raises ValueError for a task that could not run (its rule, optimizer, limits, architecture, sets, recipes), for one
    that tunes a model without it, and for a partial one, ActRefused if the task exists or its agreement does with
    another text, TransportUnavailable when the broker is away.
    """
    if task_file.partial:
        raise ValueError(
            f"the task {task_file.task} is partial: `fluvial region run` registers it, on its parent's model"
        )
    if (task_file.tunes is None) != (first is None):
        raise ValueError(f"the task {task_file.task} tunes a pruned model: `fluvial variant tune` creates it")
    model = first_model(task_file, packages, first)
    task_file, layout = model.task_file, model.layout
    records.check(task_file, layout)
    model.check_measured()
    initial = model.elements()
    opened = closing(connect(federation.brokers, OPERATOR)) if connected is None else nullcontext(connected)
    with opened as transport:
        acts = OperatorActs(transport, federation, keys.operator)
        registry = acts.registry()
        if registry.task(task_file.task) is not None:
            raise ActRefused(
                f"the task {task_file.task} exists already: `fluvial task show {task_file.task}` shows it, "
                "`fluvial task update` gives it other terms; another model is another task"
            )
        acts.agree(task_file.agreement, registry)
        chunks = _publish_chunks(transport, federation, task_file, initial)
        manifest = records.first_manifest(task_file, layout, chunks, now_ms=_now_ms())
        sealed = seal(manifest, keys.operator, OPERATOR, federation.topics.scope)
        transport.produce(federation.topics.models, sealed, key=f"{task_file.task}/0".encode()).result(_SECONDS)
        task = records.first_task(task_file, manifest)
        acts.register(task)
    return CreatedTask(task=task, manifest=manifest)


def update_task(acts: OperatorActs, task_file: TaskFile, packages: Packages = NO_PACKAGES) -> Task:
    """Register a task again with other terms, which hold from the next round on. Raises as `other_terms`, and
    ActRefused for terms that further operators must sign first."""
    task = other_terms(acts, task_file, packages)
    acts.agree(task_file.agreement)
    return acts.update(acts.task(task.task), task.specification)


def propose_terms(acts: OperatorActs, task_file: TaskFile, packages: Packages = NO_PACKAGES) -> bytes:
    """The signed record of a task with other terms, for further operators to sign. Raises as `other_terms`."""
    task = other_terms(acts, task_file, packages)
    acts.agree(task_file.agreement)
    return acts.propose(task)


def other_terms(acts: OperatorActs, task_file: TaskFile, packages: Packages = NO_PACKAGES) -> Task:
    """The record of a task with other terms, checked.

    packages: those whose code may run here; another version of the task's package is such a term, too.

    Raises ValueError for terms that could not run, or that change what holds for the task's life; ActRefused where
    there is no such task, or it has no other terms than these.
    """
    task = acts.task(task_file.task)
    before = TaskFile.model_validate_json(task.specification)
    if before.partial or task_file.partial:
        raise ValueError(f"the task {task.task} is partial: `fluvial region run` registers it with its parent's rounds")
    model = first_model(task_file, packages)
    task_file = model.task_file
    fixed = terms.fixed(before, task_file)
    if fixed:
        raise ValueError(f"{', '.join(fixed)}: as the task was created, so it stays; create another task instead")
    if task_file == before:
        raise ActRefused(f"the task {task.task} has these very terms already")
    model.check_fits(task.layout)
    records.check(task_file, task.layout)
    model.check_measured()
    return replace(task, specification=task_file.specification(), version=next_version(task))


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


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
