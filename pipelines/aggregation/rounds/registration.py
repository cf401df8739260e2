"""Whether a task's record is taken: by the keeper, and by who reads the log in its place. Pure."""

from __future__ import annotations

from dataclasses import replace

from fluvial.registry.approval import why_not_approved
from fluvial.registry.order import order
from fluvial.registry.round_terms import changed
from fluvial.wire.records import RoundStatus, Task, TaskStatus
from fluvial.wire.task_file import TaskFile
from pipelines.aggregation.rounds import records
from pipelines.aggregation.rounds.task_life import TaskState, base_of


def admitted(state: TaskState | None, task: Task, sealed: bytes = b"") -> Task:
    """The record as it is taken. One that halts a task does so whatever its terms are: those that could not run, or
    that too few operators have signed, are left out. sealed: its envelope. Raises ValueError, with the reason, for a
    record that must change nothing."""
    try:
        check(state, task, sealed)
    except ValueError:
        if state is None or task.status is TaskStatus.RUNNING:
            raise
        task = replace(task, specification=state.registered or state.specification, layout=state.model.layout)
        check(state, task, sealed)
    return task


def check(state: TaskState | None, task: Task, sealed: bytes) -> None:
    """Raises ValueError that says why a task, or other terms of one, could not run, or need more signatures."""
    after = TaskFile.model_validate_json(task.specification)
    if after.task != task.task:
        raise ValueError(f"the record of the task {task.task} holds the file of {after.task}")
    if state is not None:
        _check_status(state, task)
        if task.layout != state.model.layout:
            raise ValueError("the layout of a task's model cannot change")
        after = changed(state.task_file, after)
        if order(task) > (state.record_version, state.created_ms):
            before = TaskFile.model_validate_json(state.registered or state.specification)
            if why := why_not_approved(before, after, sealed):
                raise ValueError(why)
    records.check(after, task.layout)
    if state is None or after.partial:
        records.check_model(after, base_of(task))


def refusal(state: TaskState | None, task: Task, sealed: bytes = b"") -> str:
    """What `check` raises, as text; empty where it raises nothing."""
    try:
        check(state, task, sealed)
    except ValueError as error:
        return str(error)
    return ""


def _check_status(state: TaskState, task: Task) -> None:
    if order(task) <= (state.record_version, state.created_ms):
        return  # A copy, which changes nothing.
    if state.announced is RoundStatus.REMOVED:
        raise ValueError("the task was removed, for good")
    if state.task_file.partial and task.status is not TaskStatus.RUNNING:
        raise ValueError("a partial task follows its parent: its region's process is to be stopped instead")
