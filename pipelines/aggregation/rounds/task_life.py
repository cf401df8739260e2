"""The life of a task: which round is open, and which model a round has made. Pure: one keeper per task.

A task's record opens its first round. When a round's selection and all its chunks are known, the model is published
and the next round opened in the same step; a failed round is opened again on the same base model. What its file says of
rounds and models is in `terms`.

A partial task is that of a region, and its models are its parent's. Each round publishes an exact sum and moves
nothing; the next one opens when the region's process, as the operator, registers the task again with the parent's next
round and base model.

The operator may pause, finish or remove a task, by its record's status. A round that is open ends first, because its
participants have trained for it: a pause or an end takes hold when it has its model, or has failed. Removal alone gives
it up, and answers its updates. What has become of the task stands in topic rounds, where participants look.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from fluvial.registry.order import order
from fluvial.registry.round_terms import changed
from fluvial.wire.layout import num_chunks, num_elements
from fluvial.wire.records import (
    AcceptedUpdate,
    ModelManifest,
    Round,
    RoundEvent,
    RoundStatus,
    RoundTransition,
    Task,
    TaskStatus,
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
    fraction_bits: of the open round, where another job announced it. status, reason: what the operator wants, and why.
    announced: what topic rounds says of the task; while it is PAUSED, round and attempt are what is opened next."""

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
    status: TaskStatus = TaskStatus.RUNNING
    reason: str = ""
    announced: RoundStatus | None = None

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
    return _go_on(state, (state.round + 1, 1), now_ms)


def obey(state: TaskState, now_ms: int) -> tuple[TaskState, list[Effect]]:
    """What the operator's status and terms ask for beyond what topic rounds says already; nothing the second time."""
    if state.announced is RoundStatus.REMOVED:
        return state, []
    if state.status is TaskStatus.REMOVED:
        return _removed(state, now_ms)
    if state.open or state.task_file.partial:
        return state, []
    state = _renewed(state)
    is_paused = state.announced is RoundStatus.PAUSED
    place = (state.round, state.attempt) if is_paused else (state.round + 1, 1)
    is_over = place[0] > state.task_file.rounds or state.status is not TaskStatus.RUNNING
    if state.announced is RoundStatus.FINISHED and is_over:
        return state, []
    if is_paused and state.status is TaskStatus.PAUSED:
        return state, []
    if state.announced is None and place[0] > state.task_file.rounds and state.status is not TaskStatus.FINISHED:
        return state, []  # A task without rounds waits for terms that have some.
    return _go_on(state, place, now_ms)


def base_of(task: Task) -> Model:
    """The model that a task's record names."""
    return Model(layout=task.layout, version=task.base_version, digest=task.base_digest, chunks=task.base_chunks)


def _registered(state: TaskState | None, task: Task, now_ms: int) -> tuple[TaskState, list[Effect]]:
    if state is None:
        state = TaskState(
            task=task.task,
            specification=task.specification,
            record_version=task.version,
            created_ms=task.created_ms,
            model=base_of(task),
        )
    elif order(task) <= (state.record_version, state.created_ms):
        # A copy of a record, which anybody can write: former terms never come back.
        return state, []
    else:
        # The same task with other terms, more rounds for example: they hold from the next round on.
        after = changed(state.task_file, TaskFile.model_validate_json(task.specification)).model_dump_json()
        state = replace(state, registered=after)
    state = replace(
        state,
        record_version=task.version,
        created_ms=task.created_ms,
        status=task.status,
        reason=task.reason[:MAX_REASON],
    )
    if state.task_file.partial:
        return _followed(_renewed(state), task, now_ms)
    return obey(state, now_ms)


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
    state = replace(state, model=base_of(task), pending=Pending(), open=False)
    state, effects = _halted(state, RoundStatus.FINISHED, now_ms) if finished else _open(state, number, 1, now_ms)
    return state, [*given_up, *effects]


def _removed(state: TaskState, now_ms: int) -> tuple[TaskState, list[Effect]]:
    """The open round is given up: the window answers what it has, and what is with the rule is answered here."""
    given_up: list[Effect] = []
    if state.open:
        updates = state.pending.selected.updates if state.pending.selected else ()
        failed = _transition(state, RoundTransition.FAILED, len(updates), "the task was removed")
        given_up = [*([GiveBack(updates)] if updates else []), Record(failed)]
    state, effects = _halted(replace(state, pending=Pending()), RoundStatus.REMOVED, now_ms)
    return state, [*given_up, *effects]


def _halted(state: TaskState, status: RoundStatus, now_ms: int) -> tuple[TaskState, list[Effect]]:
    """No round is open, and topic rounds says why."""
    state = replace(state, open=False, announced=status)
    happened = _transition(state, RoundTransition(status.value), 0, state.reason)
    return state, [Announce(_round(state, status, now_ms)), Record(happened)]


def _given_up(state: TaskState | None, report: Report) -> list[Effect]:
    """A round may be given up while its updates are with the rule, when a region's parent has gone on or a task is
    removed: then they are answered when it reports."""
    may_be = state is not None and (state.task_file.partial or state.announced is RoundStatus.REMOVED)
    return [GiveBack(report.updates)] if may_be and isinstance(report, Selected | Undecided) else []


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
    state, effects = _go_on(state, place, now_ms)
    return state, [failed, *effects]


def _go_on(state: TaskState, place: tuple[int, int], now_ms: int) -> tuple[TaskState, list[Effect]]:
    """What follows a round that is over: the one at this place, unless there are no more, or the operator has said
    otherwise."""
    state = _renewed(state)
    if not state.task_file.partial:
        if place[0] > state.task_file.rounds or state.status is TaskStatus.FINISHED:
            return _halted(state, RoundStatus.FINISHED, now_ms)
        if state.status is TaskStatus.PAUSED:
            return _halted(replace(state, round=place[0], attempt=place[1]), RoundStatus.PAUSED, now_ms)
    return _open(state, *place, now_ms)


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
    state = replace(state, announced=RoundStatus.OPEN)
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
