"""The life of a task: which round is open, and which model a round has made. Pure: one keeper per task.

A task's record opens its first round. When a round's selection and all its chunks are known, the model is published
and the next round opened in the same step; a failed round is opened again on the same base model. What its file says of
rounds and models is in `terms`.

A partial task is that of a region, and its models are its parent's. Each round publishes an exact sum and moves
nothing; the next one opens when the region's process, as the operator, registers the task again with the parent's next
round and base model.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from fluvial.wire.layout import num_chunks, num_elements
from fluvial.wire.records import (
    ChunkReference,
    Contribution,
    ModelManifest,
    Round,
    RoundEvent,
    RoundStatus,
    RoundTransition,
    Task,
)
from fluvial.wire.task_file import TaskFile
from pipelines.aggregation.rounds import records, terms
from pipelines.aggregation.rounds.records import Model


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
    model: Model
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
        _check(state, task)
    except ValueError as error:
        return str(error)
    return ""


def _check(state: TaskState | None, task: Task) -> None:
    after = TaskFile.model_validate_json(task.specification)
    if after.task != task.task:
        raise ValueError(f"the record of the task {task.task} holds the file of {after.task}")
    if state is not None:
        if task.layout != state.model.layout:
            raise ValueError("the layout of a task's model cannot change")
        after = terms.changed(state.task_file, after)
    records.check(after, task.layout)
    if state is None or after.partial:
        records.check_model(after, _base(task))


def _base(task: Task) -> Model:
    return Model(layout=task.layout, version=task.base_version, digest=task.base_digest, chunks=task.base_chunks)


def _registered(state: TaskState | None, task: Task, now_ms: int) -> tuple[TaskState, list[Effect]]:
    if state is None:
        state = TaskState(
            task=task.task,
            specification=task.specification,
            model=_base(task),
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
    finished = number == 0 and state.round > 0 and task.base_version > state.model.version
    if number <= state.round and not finished:
        return state, []
    given_up = [Record(_transition(state, RoundTransition.FAILED, 0))] if state.open else []
    state = replace(state, model=_base(task), pending=None, open=False)
    if finished:
        return state, [*given_up, *_finished(state, now_ms)]
    state, effects = _open(state, number, 1, now_ms)
    return state, [*given_up, *effects]


def _finished(state: TaskState, now_ms: int) -> list[Effect]:
    return [
        Announce(_round(state, RoundStatus.FINISHED, now_ms)),
        Record(_transition(state, RoundTransition.FINISHED, 0)),
    ]


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
    of_model = num_chunks(num_elements(state.model.layout), task_file.chunk_elements)
    expected = of_model * (1 + len(terms.moments(task_file)))
    if pending.contributions is None or len(pending.chunks) < expected:
        return state, []
    every_chunk = tuple(pending.chunks[index] for index in range(expected))
    manifest = records.manifest(
        task_file,
        state.model,
        number=state.round,
        attempt=state.attempt,
        contributions=pending.contributions,
        total_weight=pending.total_weight,
        chunks=every_chunk[:of_model],
        optimizer_chunks=every_chunk[of_model:],
        now_ms=now_ms,
    )
    state = replace(state, pending=None, open=False)
    if task_file.partial:
        return state, [Publish(manifest)]
    state = replace(_renewed(state), model=records.model_of(manifest))
    if state.round < state.task_file.rounds:
        state, effects = _open(state, state.round + 1, 1, now_ms)
        return state, [Publish(manifest), *effects]
    return state, [Publish(manifest), *_finished(state, now_ms)]


def _open(state: TaskState, number: int, attempt: int, now_ms: int) -> tuple[TaskState, list[Effect]]:
    state = replace(_renewed(state), round=number, attempt=attempt, open=True, pending=None)
    opened = _transition(state, RoundTransition.OPENED, 0)
    return state, [Announce(_round(state, RoundStatus.OPEN, now_ms)), Record(opened)]


def _round(state: TaskState, status: RoundStatus, now_ms: int) -> Round:
    return records.round_record(
        state.task_file, state.model, number=state.round, attempt=state.attempt, status=status, now_ms=now_ms
    )


def _transition(state: TaskState, transition: RoundTransition, num_updates: int) -> RoundEvent:
    return RoundEvent(
        task=state.task,
        round=state.round,
        attempt=state.attempt,
        transition=transition,
        num_updates=num_updates,
        base_version=state.model.version,
    )
