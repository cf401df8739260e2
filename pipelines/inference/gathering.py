"""How requests are put together before they are answered: by the terms of all tasks that the job serves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fluvial.registry.view import VerifiedRegistry
from fluvial.wire.acceleration import BatchingSpec
from fluvial.wire.errors import FluvialError
from fluvial.wire.foreign_text import logger
from fluvial.wire.records import Task
from fluvial.wire.tally import Tally
from pipelines.flink.frames import SourceRecord
from pipelines.registered_tasks import acceleration_of

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Gathering:
    """max_requests: that are gathered for a lane. max_delay_ms: longest wait of a request for others.
    longest_deadline_ms: within which a task's requests are answered."""

    max_requests: int
    max_delay_ms: int
    longest_deadline_ms: int


def gathering(tasks: Iterable[Task]) -> Gathering:
    """One gatherer serves all tasks of a job, so that nobody waits longer than its own task says, and the largest batch
    can be filled. Without a task that serves a model, the terms of one that says nothing."""
    specs = [spec.batching for spec in map(acceleration_of, tasks) if spec is not None] or [BatchingSpec()]
    return Gathering(
        max(spec.max_batch for spec in specs),
        int(min(spec.max_delay_ms for spec in specs)),
        max(spec.deadline_ms for spec in specs),
    )


def tasks_of(
    registry: Iterable[SourceRecord], operator_key: bytes, registrar_key: bytes, scope: str = ""
) -> list[Task]:
    """The tasks in force, of the records of topic registry; what is not genuine is skipped."""
    view, skipped = VerifiedRegistry(operator_key, registrar_key, scope), Tally(_log)
    for record in registry:
        key = (record.key or b"").decode(errors="replace")
        try:
            if record.value:  # nobody signs a tombstone
                view.apply(key, record.value)
        except FluvialError as error:
            skipped.add(f"registry/{record.partition}@{record.offset}", str(error))
    return view.tasks()
