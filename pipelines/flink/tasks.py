"""Tasks of the registry as messages, for the stages that keep or measure models."""

from __future__ import annotations

from collections.abc import Iterator

from pyflink.datastream import FlatMapFunction

from fluvial.registry.approval import check_approved
from fluvial.registry.order import replaces
from fluvial.registry.records import open_registry_record
from fluvial.wire.errors import FluvialError
from fluvial.wire.foreign_text import logger
from fluvial.wire.framing import encode
from fluvial.wire.records import Task
from fluvial.wire.tally import Tally
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
