"""Which record of a task is in force, and what it says of acceleration. Pure."""

from __future__ import annotations

from functools import lru_cache

from pydantic import ValidationError

from fluvial.registry.order import replaces
from fluvial.wire.acceleration import AccelerationSpec
from fluvial.wire.foreign_text import logger
from fluvial.wire.framing import decode
from fluvial.wire.records import Task, TaskStatus
from fluvial.wire.task_file import TaskFile

_log = logger(__name__)


def newest(record: bytes, stored: bytes | None) -> bytes:
    """Of a task's record that has come and the one that a stage keeps, the one in force: a job that starts again has
    forgotten what it read before the copy of a former record that somebody has written since."""
    if stored is not None and not replaces(decode(record, Task), decode(bytes(stored), Task)):
        return bytes(stored)
    return record


def acceleration_of(task: Task) -> AccelerationSpec | None:
    """A task's terms of acceleration; None where it has none, was removed, or its record holds no task file (then the
    task does not run either)."""
    return None if task.status is TaskStatus.REMOVED else parsed_acceleration(task.specification)


@lru_cache(maxsize=256)
def parsed_acceleration(specification: str) -> AccelerationSpec | None:
    """Parsed once for each file, because it is asked for with every batch of requests."""
    try:
        return TaskFile.model_validate_json(specification).acceleration
    except ValidationError as error:
        _log.warning("a task in the registry has no readable file: %s", error)
        return None
