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

from fluvial.registry.order import order
from fluvial.wire.layout import num_chunks, num_elements
from fluvial.wire.records import (
    AcceptedUpdate,
    ModelManifest,
    Round,
    RoundEvent,
    RoundStatus,
    RoundTransition,
    Task,
)
from fluvial.wire.task_file import TaskFile
from pipelines.aggregation.messages import Chunks, RoundFailed, Selected, ShardDone, ShardFailed, Undecided
from pipelines.aggregation.rounds import records, terms
from pipelines.aggregation.rounds.records import Model

MAX_REASON = 500
"""Characters of a reason that are recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """What is known of the model in the making. failure: why a shard could not make its chunks; empty where all may."""

    selected: Selected | None = None
    chunks: Chunks = field(default_factory=dict)
    failure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskState:
    """A task and its newest model. specification: its terms, as the open round announced them. registered: other terms
    that have come since, for the next round or attempt. record_version, created_ms: of the newest record taken.
    fraction_bits: of the open round, where another job announced it."""

    task: str
    specification: str
    registered: str | None = None
    record_version: int
    created_ms: int
    model: Model
    round: int = 0
    attempt: int = 0
    open: bool = False
    fraction_bits: int | None = None
    pending: Pending = field(default_factory=Pending)

    @property
    def task_file(self) -> TaskFile:
        return TaskFile.model_validate_json(self.specification)


@dataclass(frozen=True, slots=True)
class Publish:
    """Sign and publish the model, and answer the updates of its round. updates: in the order of its contributions."""

    manifest: ModelManifest
    updates: tuple[AcceptedUpdate, ...]


@dataclass(frozen=True, slots=True)
class Announce:
    """Sign and publish the round."""

    round: Round


@dataclass(frozen=True, slots=True)
class Record:
    """Put the round's transition on the audit log."""

    event: RoundEvent


@dataclass(frozen=True, slots=True)
class GiveBack:
    """Answer each of these updates that its round failed."""

    updates: tuple[AcceptedUpdate, ...]


Effect = Publish | Announce | Record | GiveBack
Report = Selected | Undecided | ShardDone | ShardFailed | RoundFailed
"""What the window, the rule and the shards tell of a round."""


def step(state: TaskState | None, event: Task | Report, now_ms: int) -> tuple[TaskState | None, list[Effect]]:
    """The task after an event, and what is to be done, in order. Reports of rounds gone by change nothing."""
    if isinstance(event, Task):
        return _registered(state, event, now_ms)
    if state is None or not state.open or event.place != (state.round, state.attempt):
        return state, _given_up(state, event)
    pending = state.pending
    match event:
        case RoundFailed():
            return _failed(state, event.num_updates, event.reason, now_ms)
        case Undecided():
            return _used_up(state, event.updates, event.reason, now_ms)
        case Selected():
            closed = Record(_transition(state, RoundTransition.CLOSED, len(event.updates)))
            state, effects = _settled(replace(state, pending=replace(pending, selected=event)), now_ms)
            return state, [closed, *effects]
        case ShardDone():
            return _settled(replace(state, pending=replace(pending, chunks={**pending.chunks, **event.chunks})), now_ms)
        case ShardFailed():
            return _settled(replace(state, pending=replace(pending, failure=event.reason)), now_ms)


def resume(state: TaskState, now_ms: int) -> tuple[TaskState, list[Effect]]:
    """What follows the newest model of a task."""
    state = _renewed(state)
    if state.round < state.task_file.rounds:
        return _open(state, state.round + 1, 1, now_ms)
    return state, _finished(state, now_ms)


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
            record_version=task.version,
            created_ms=task.created_ms,
            model=_base(task),
        )
    elif order(task) <= (state.record_version, state.created_ms):
        # A copy of a record, which anybody can write: former terms never come back.
        return state, []
    else:
        # The same task with other terms, more rounds for example: they hold from the next round on.
        after = terms.changed(state.task_file, TaskFile.model_validate_json(task.specification)).model_dump_json()
        state = replace(state, record_version=task.version, created_ms=task.created_ms, registered=after)
        if not state.open or state.task_file.partial:
            state = _renewed(state)
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
    given_up: list[Effect] = []
    if state.open:
        updates = state.pending.selected.updates if state.pending.selected else ()
        failed = _transition(state, RoundTransition.FAILED, len(updates), "the parent's round is over")
        given_up = [*([GiveBack(updates)] if updates else []), Record(failed)]
    state = replace(state, model=_base(task), pending=Pending(), open=False)
    if finished:
        return state, [*given_up, *_finished(state, now_ms)]
    state, effects = _open(state, number, 1, now_ms)
    return state, [*given_up, *effects]


def _finished(state: TaskState, now_ms: int) -> list[Effect]:
    return [
        Announce(_round(state, RoundStatus.FINISHED, now_ms)),
        Record(_transition(state, RoundTransition.FINISHED, 0)),
    ]


def _given_up(state: TaskState | None, report: Report) -> list[Effect]:
    """A region's round may be given up while its updates are with the rule: then they are answered when it reports."""
    if state is not None and state.task_file.partial and isinstance(report, Selected | Undecided):
        return [GiveBack(report.updates)]
    return []


def _failed(state: TaskState, num_updates: int, reason: str, now_ms: int) -> tuple[TaskState, list[Effect]]:
    """The round is opened again as its next attempt."""
    return _next(state, num_updates, reason, (state.round, state.attempt + 1), now_ms)


def _used_up(
    state: TaskState, updates: tuple[AcceptedUpdate, ...], reason: str, now_ms: int
) -> tuple[TaskState, list[Effect]]:
    """The round had its quorum, but nothing could be made of it. What an asynchronous window hands to a rule is used
    up, and nobody may send a second update of the round: so it goes on with the next round, while there is one."""
    task_file = _renewed(state).task_file
    following = (state.round, state.attempt + 1)
    if task_file.window.mode != "synchronous" and state.round < task_file.rounds:
        following = (state.round + 1, 1)
    state, effects = _next(state, len(updates), reason, following, now_ms)
    return state, [GiveBack(updates), *effects]


def _next(
    state: TaskState, num_updates: int, reason: str, place: tuple[int, int], now_ms: int
) -> tuple[TaskState, list[Effect]]:
    failed = Record(_transition(state, RoundTransition.FAILED, num_updates, reason))
    state, effects = _open(state, *place, now_ms)
    return state, [failed, *effects]


def _renewed(state: TaskState) -> TaskState:
    """With the terms that were registered last."""
    return state if state.registered is None else replace(state, specification=state.registered, registered=None)


def _settled(state: TaskState, now_ms: int) -> tuple[TaskState, list[Effect]]:
    """What follows once the selection and all its chunks are known, or that there will be none."""
    task_file, pending = state.task_file, state.pending
    selected = pending.selected
    if selected is None:
        return state, []
    if pending.failure:
        return _used_up(state, selected.updates, pending.failure, now_ms)
    of_model = num_chunks(num_elements(state.model.layout), task_file.chunk_elements)
    expected = of_model * (1 + len(terms.moments(task_file)))
    if len(pending.chunks) < expected:
        return state, []
    every_chunk = tuple(pending.chunks[index] for index in range(expected))
    manifest = records.manifest(
        task_file,
        state.model,
        number=state.round,
        attempt=state.attempt,
        contributions=records.contributions(selected.updates, selected.effective_weights),
        total_weight=selected.total_weight,
        chunks=every_chunk[:of_model],
        optimizer_chunks=every_chunk[of_model:],
        now_ms=now_ms,
        fraction_bits=state.fraction_bits,
    )
    published = Publish(manifest, selected.updates)
    state = replace(state, pending=Pending(), open=False)
    if task_file.partial:
        return state, [published]
    state, effects = resume(replace(state, model=records.model_of(manifest)), now_ms)
    return state, [published, *effects]


def _open(state: TaskState, number: int, attempt: int, now_ms: int) -> tuple[TaskState, list[Effect]]:
    state = replace(_renewed(state), round=number, attempt=attempt, open=True, pending=Pending(), fraction_bits=None)
    opened = _transition(state, RoundTransition.OPENED, 0)
    return state, [Announce(_round(state, RoundStatus.OPEN, now_ms)), Record(opened)]


def _round(state: TaskState, status: RoundStatus, now_ms: int) -> Round:
    return records.round_record(
        state.task_file, state.model, number=state.round, attempt=state.attempt, status=status, now_ms=now_ms
    )


def _transition(state: TaskState, transition: RoundTransition, num_updates: int, reason: str = "") -> RoundEvent:
    return RoundEvent(
        task=state.task,
        round=state.round,
        attempt=state.attempt,
        transition=transition,
        num_updates=num_updates,
        base_version=state.model.version,
        reason=reason[:MAX_REASON],
    )
