"""What needs a person in a federation: tasks that are halted or keep failing, and records that nobody could handle.

A fold over records; `health_reading` reads the newest of them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from fluvial.transparency.event import event_id, read_event
from fluvial.wire.errors import FluvialError
from fluvial.wire.framing import decode
from fluvial.wire.records import (
    AuditEvent,
    PublishedModel,
    Release,
    RoundEvent,
    RoundTransition,
    SetAside,
    Task,
)
from pipelines.flink.frames import SourceRecord


@dataclass(slots=True, kw_only=True)
class TaskHealth:
    """failed: rounds that made no model since the last that did; last_failure: why the newest of them failed.
    unmeasured: why versions have no measurement. package: whose code it runs, if any."""

    task: str
    status: str
    reason: str
    round: int = 0
    attempt: int = 0
    is_open: bool = False
    failed: int = 0
    last_failure: str = ""
    unmeasured: dict[int, str] = field(default_factory=dict)
    package: str = ""


@dataclass(slots=True, kw_only=True)
class Health:
    """quarantined: records by reason. set_aside: by operator, with the error of the newest."""

    tasks: dict[str, TaskHealth] = field(default_factory=dict)
    quarantined: Counter[str] = field(default_factory=Counter)
    set_aside: Counter[str] = field(default_factory=Counter)
    last_error: dict[str, str] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)

    def take_tasks(self, tasks: Iterable[Task]) -> None:
        """The registry's."""
        for task in tasks:
            self.tasks[task.task] = TaskHealth(
                task=task.task, status=task.status.value, reason=task.reason, package=_package_of(task)
            )

    def take_events(self, records: Iterable[SourceRecord]) -> None:
        """Of topic events, in its order; what is none is left to the stages, which tell of it."""
        for record in records:
            try:
                found = read_event(decode(record.value, AuditEvent))
            except (FluvialError, ValueError):
                continue
            match found:
                case RoundEvent():
                    self._take_round(found)
                case PublishedModel() if found.task in self.tasks:
                    self.tasks[found.task].failed, self.tasks[found.task].last_failure = 0, ""
                case Release() if found.task in self.tasks:
                    if found.reason:
                        self.tasks[found.task].unmeasured[found.version] = found.reason
                    else:
                        self.tasks[found.task].unmeasured.pop(found.version, None)
                case SetAside() if event_id(found) not in self._told:
                    self._told.add(event_id(found))
                    self.set_aside[found.operator] += 1
                    self.last_error[found.operator] = found.error

    def take_quarantine(self, records: Iterable[SourceRecord]) -> None:
        """Of topic quarantine."""
        for record in records:
            self.quarantined[dict(record.headers).get("reason", b"").decode(errors="replace")] += 1

    def _take_round(self, event: RoundEvent) -> None:
        task = self.tasks.get(event.task)
        if task is None:
            return
        task.round, task.attempt = event.round, event.attempt
        task.is_open = event.transition in (RoundTransition.OPENED, RoundTransition.CLOSED)
        if event.transition is RoundTransition.FAILED:
            task.failed, task.last_failure = task.failed + 1, event.reason


def _package_of(task: Task) -> str:
    try:  # not as a TaskFile, which brings in numpy: a fifth of what a command that looks takes
        name = json.loads(task.specification)["package"]["name"]
    except (ValueError, TypeError, LookupError):  # none; of what is no task file the stages tell
        return ""
    return name if isinstance(name, str) else ""
