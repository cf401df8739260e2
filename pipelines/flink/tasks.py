"""Tasks of the registry, for the stages that keep or measure models."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from pydantic import ValidationError
from pyflink.datastream import FlatMapFunction

from fluvial.registry.approval import check_approved
from fluvial.registry.order import replaces
from fluvial.registry.records import open_registry_record
from fluvial.wire.acceleration import AccelerationSpec
from fluvial.wire.errors import FluvialError
from fluvial.wire.foreign_text import logger
from fluvial.wire.framing import decode, encode
from fluvial.wire.records import Task, TaskStatus
from fluvial.wire.tally import Tally
from fluvial.wire.task_file import TaskFile
from pipelines.config import Settings
from pipelines.flink.frames import parse_source
from pipelines.flink.messages import pack

_log = logger(__name__)


class TaskToMessage(FlatMapFunction):
    """Tasks of topic registry, verified, each with its envelope, in which operators may have signed it too."""

    def __init__(self, settings: Settings) -> None:
        self._keys = bytes.fromhex(settings.operator_key), bytes.fromhex(settings.registrar_key)
        self._scope = settings.topics.scope
        self._accepted: dict[str, Task] = {}
        self._skipped = Tally(_log)

    def flat_map(self, value: bytes) -> Iterator[bytes]:
        record = parse_source(bytes(value))
        try:
            task = open_registry_record((record.key or b"").decode(), record.value, *self._keys, self._scope)
            if isinstance(task, Task) and not self._check(task, record.value):
                self._skipped.add(f"registry/{record.partition}@{record.offset}", "a former record of a task")
                return
        except (FluvialError, UnicodeDecodeError) as error:
            self._skipped.add(f"registry/{record.partition}@{record.offset}", str(error))
            return
        if isinstance(task, Task):
            yield pack(task.task, "task", [encode(task), record.value])

    def _check(self, task: Task, sealed: bytes) -> bool:
        """Whether the record is in force; a copy of a former one is not, though its signature is genuine. Within this
        process alone: who keeps a task's record asks `newest`. Raises VerificationError."""
        known = self._accepted.get(task.task)
        if known is not None and known != task:
            if not replaces(task, known):
                return False
            check_approved(known.specification, task.specification, sealed)
        self._accepted[task.task] = task
        return True


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
