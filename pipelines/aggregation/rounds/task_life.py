"""The life of a task: which round is open, and which model a round has made. Pure: one keeper per task.

A task's record opens its first round. When a round's selection and all its chunks are known, the model is published
and the next round opened in the same step; a failed round is opened again on the same base model. What its file says of
rounds and models is in `terms`.

A partial task is that of a region, and its models are its parent's. Each round publishes an exact sum and moves
nothing; the next one opens when the region's process, as the operator, registers the task again with the parent's next
round and base model.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace

from fluvial.wire.layout import layout_digest, model_digest, num_chunks, num_elements
from fluvial.wire.records import (
    ChunkReference,
    Contribution,
    ModelManifest,
    Round,
    RoundEvent,
    RoundStatus,
    RoundTransition,
    Task,
    TensorLayout,
    WindowMode,
)
from fluvial.wire.sampling import round_seed
from fluvial.wire.task_file import TaskFile
from pipelines.aggregation.rounds import terms


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """What is known of the model in the making. Chunks by index; the optimizer's moments follow the model's."""

    round: int
    attempt: int
    contributions: tuple[Contribution, ...] | None = None
    total_weight: int = 0
    chunks: dict[int, ChunkReference] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskState:
    """A task and its newest model. specification: its terms, as the open round announced them. registered: other terms
    that have come since, for the next round or attempt."""

    task: str
    specification: str
    registered: str | None = None
    layout: tuple[TensorLayout, ...]
    version: int
    digest: bytes
    chunks: tuple[ChunkReference, ...]
    optimizer_chunks: tuple[ChunkReference, ...] = ()
    round: int = 0
    attempt: int = 0
    open: bool = False
    pending: Pending | None = None

    @property
    def task_file(self) -> TaskFile:
        return TaskFile.model_validate_json(self.specification)


@dataclass(frozen=True, slots=True)
class Selected:
    """The rule's selection for a round: all its updates, ordered by record digest, and what the sums are divided by."""

    round: int
    attempt: int
    contributions: tuple[Contribution, ...]
    total_weight: int


@dataclass(frozen=True, slots=True)
class ShardDone:
    """One shard has written its chunks of the new model."""

    round: int
    attempt: int
    chunks: dict[int, ChunkReference]


@dataclass(frozen=True, slots=True)
class RoundFailed:
    """A round ended without a model. undecided: it had its quorum, but the rule could make nothing of it."""

    round: int
    attempt: int
    num_updates: int
    undecided: bool = False


@dataclass(frozen=True, slots=True)
class Publish:
    """Sign and publish the model."""

    manifest: ModelManifest


@dataclass(frozen=True, slots=True)
class Announce:
    """Sign and publish the round."""

    round: Round


@dataclass(frozen=True, slots=True)
class Record:
    """Put the round's transition on the audit log."""

    event: RoundEvent


Effect = Publish | Announce | Record


def step(
    state: TaskState | None, event: Task | Selected | ShardDone | RoundFailed, now_ms: int
) -> tuple[TaskState | None, list[Effect]]:
    """The task after an event, and what is to be done, in order. Reports of rounds gone by change nothing."""
    if isinstance(event, Task):
        return _registered(state, event, now_ms)
    if state is None or not state.open or (event.round, event.attempt) != (state.round, state.attempt):
        return state, []
    match event:
        case RoundFailed():
            failed = Record(_transition(state, RoundTransition.FAILED, event.num_updates))
            state, effects = _open(replace(state, pending=None), *_after_failure(state, event), now_ms)
            return state, [failed, *effects]
        case Selected():
            pending = replace(_pending(state), contributions=event.contributions, total_weight=event.total_weight)
            closed = Record(_transition(state, RoundTransition.CLOSED, len(event.contributions)))
            state, effects = _publish_when_complete(replace(state, pending=pending), now_ms)
            return state, [closed, *effects]
        case ShardDone():
            pending = _pending(state)
            pending = replace(pending, chunks={**pending.chunks, **event.chunks})
            return _publish_when_complete(replace(state, pending=pending), now_ms)


def refusal(state: TaskState | None, task: Task) -> str:
    """Why a task, or other terms of one, could not run; empty where they can. Such a record must change nothing."""
    try:
        after = TaskFile.model_validate_json(task.specification)
        terms.check(after if state is None else terms.changed(state.task_file, after))
    except ValueError as error:
        return str(error)
    return ""


def _registered(state: TaskState | None, task: Task, now_ms: int) -> tuple[TaskState, list[Effect]]:
    if state is None:
        state = TaskState(
            task=task.task,
            specification=task.specification,
            layout=task.layout,
            version=task.base_version,
            digest=task.base_digest,
            chunks=task.base_chunks,
        )
    else:
        # The same task with other terms, more rounds for example: they hold from the next round on.
        after = terms.changed(state.task_file, TaskFile.model_validate_json(task.specification)).model_dump_json()
        held_back = state.open and not state.task_file.partial
        state = replace(state, registered=after) if held_back else replace(state, specification=after)
    if state.task_file.partial:
        return _followed(state, task, now_ms)
    if not state.open and state.round < state.task_file.rounds:
        return _open(state, state.round + 1, 1, now_ms)
    return state, []


def _followed(state: TaskState, task: Task, now_ms: int) -> tuple[TaskState, list[Effect]]:
    """What the parent of a region has come to: `rounds` is the number of its open round; 0 once it has finished."""
    number = state.task_file.rounds
    finished = number == 0 and state.round > 0 and task.base_version > state.version
    if number <= state.round and not finished:
        return state, []
    given_up = [Record(_transition(state, RoundTransition.FAILED, 0))] if state.open else []
    state = replace(
        state, version=task.base_version, digest=task.base_digest, chunks=task.base_chunks, pending=None, open=False
    )
    if finished:
        return state, [*given_up, *_finished(state, now_ms)]
    state, effects = _open(state, number, 1, now_ms)
    return state, [*given_up, *effects]


def _finished(state: TaskState, now_ms: int) -> list[Effect]:
    last = _round(state, state.round, state.attempt, RoundStatus.FINISHED, now_ms)
    return [Announce(last), Record(_transition(state, RoundTransition.FINISHED, 0))]


def _after_failure(state: TaskState, event: RoundFailed) -> tuple[int, int]:
    """Round and attempt that follow. What an asynchronous window hands to a rule is used up, and nobody may send a
    second update of the round: so it goes on with the next round, while there is one."""
    task_file = _renewed(state).task_file
    if event.undecided and task_file.window.mode != "synchronous" and state.round < task_file.rounds:
        return state.round + 1, 1
    return state.round, state.attempt + 1


def _renewed(state: TaskState) -> TaskState:
    """With the terms that were registered last."""
    return state if state.registered is None else replace(state, specification=state.registered, registered=None)


def _pending(state: TaskState) -> Pending:
    return state.pending or Pending(round=state.round, attempt=state.attempt)


def _publish_when_complete(state: TaskState, now_ms: int) -> tuple[TaskState, list[Effect]]:
    task_file, pending = state.task_file, _pending(state)
    elements = num_elements(state.layout)
    of_model = num_chunks(elements, task_file.chunk_elements)
    expected = of_model * (1 + len(terms.moments(task_file)))
    if pending.contributions is None or len(pending.chunks) < expected:
        return state, []
    every_chunk = tuple(pending.chunks[index] for index in range(expected))
    chunks, optimizer_chunks = every_chunk[:of_model], every_chunk[of_model:]
    manifest = ModelManifest(
        task=state.task,
        version=state.round if task_file.partial else state.version + 1,
        parent_version=state.version,
        parent_digest=state.digest,
        round=state.round,
        attempt=state.attempt,
        rule=terms.rule_json(task_file),
        server_optimizer=terms.server_optimizer_json(task_file),
        staleness=terms.staleness_json(task_file),
        fraction_bits=terms.fraction_bits(task_file),
        total_weight=pending.total_weight,
        layout=state.layout,
        num_elements=elements,
        chunk_elements=task_file.chunk_elements,
        chunks=chunks,
        optimizer_chunks=optimizer_chunks,
        model_digest=model_digest([chunk.sha256 for chunk in chunks]),
        contributions=pending.contributions,
        partial=task_file.partial,
        created_ms=now_ms,
    )
    if task_file.partial:
        return replace(state, pending=None, open=False), [Publish(manifest)]
    state = replace(
        _renewed(state),
        version=manifest.version,
        digest=manifest.model_digest,
        chunks=chunks,
        optimizer_chunks=optimizer_chunks,
        pending=None,
        open=False,
    )
    if state.round < state.task_file.rounds:
        state, effects = _open(state, state.round + 1, 1, now_ms)
        return state, [Publish(manifest), *effects]
    return state, [Publish(manifest), *_finished(state, now_ms)]


def _open(state: TaskState, number: int, attempt: int, now_ms: int) -> tuple[TaskState, list[Effect]]:
    state = replace(_renewed(state), round=number, attempt=attempt, open=True, pending=None)
    opened = _transition(state, RoundTransition.OPENED, 0)
    return state, [Announce(_round(state, number, attempt, RoundStatus.OPEN, now_ms)), Record(opened)]


def _round(state: TaskState, number: int, attempt: int, status: RoundStatus, now_ms: int) -> Round:
    task_file = state.task_file
    return Round(
        task=state.task,
        round=number,
        attempt=attempt,
        status=status,
        base_version=state.version,
        base_digest=state.digest,
        base_chunks=state.chunks,
        layout=state.layout,
        layout_digest=layout_digest(state.layout),
        num_elements=num_elements(state.layout),
        chunk_elements=task_file.chunk_elements,
        opened_ms=now_ms,
        deadline_ms=terms.deadline_ms(task_file, now_ms),
        quorum=task_file.quorum,
        target=task_file.target,
        max_abs=task_file.limits.max_abs,
        max_norm=task_file.limits.max_norm,
        max_weight=task_file.limits.max_weight,
        fraction_bits=terms.fraction_bits(task_file),
        kept_versions=task_file.kept_versions,
        rule=terms.rule_json(task_file),
        server_optimizer=terms.server_optimizer_json(task_file),
        optimizer_chunks=state.optimizer_chunks,
        window=WindowMode(task_file.window.mode.upper()),
        grace_ms=int(task_file.window.grace_seconds * 1000),
        max_staleness=task_file.window.max_staleness,
        staleness=terms.staleness_json(task_file),
        seed=round_seed(state.task, number, attempt, state.digest),
        invited_fraction=task_file.sampling.invited_fraction,
        partial=task_file.partial,
        encodings=tuple(task_file.encodings),
        agreement=task_file.agreement.name if task_file.agreement else "",
        training=json.dumps(task_file.training.model_dump(mode="json"), sort_keys=True),
    )


def _transition(state: TaskState, transition: RoundTransition, num_updates: int) -> RoundEvent:
    return RoundEvent(
        task=state.task,
        round=state.round,
        attempt=state.attempt,
        transition=transition,
        num_updates=num_updates,
        base_version=state.version,
    )
