"""Bytes of a task's state: a version byte, and its records in the contract's codecs."""

from __future__ import annotations

from dataclasses import dataclass

from fluvial.wire.records import RoundStatus, Task
from pipelines.aggregation.messages import Chunks, Message, Selected
from pipelines.aggregation.rounds.records import Model
from pipelines.aggregation.rounds.task_life import Pending, TaskState
from pipelines.flink.messages import unpack

_STATE_VERSION = 6
_UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class _Stored(Message):
    """record: the task as its open round has it, on its newest model. selected: parts of the message, or none."""

    kind = "task-state"
    record: Task
    registered: str
    optimizer_chunks: Chunks
    round: int
    attempt: int
    is_open: int
    fraction_bits: int
    selected: tuple[bytes, ...]
    chunks: Chunks
    failure: str
    announced: str


def dump(state: TaskState) -> bytes:
    """The state as bytes."""
    model, pending = state.model, state.pending
    stored = _Stored(
        record=Task(
            task=state.task,
            specification=state.specification,
            layout=model.layout,
            base_version=model.version,
            base_digest=model.digest,
            base_chunks=model.chunks,
            created_ms=state.created_ms,
            version=state.record_version,
            status=state.status,
            reason=state.reason,
        ),
        registered=state.registered or "",
        optimizer_chunks=dict(enumerate(model.optimizer_chunks)),
        round=state.round,
        attempt=state.attempt,
        is_open=state.open,
        fraction_bits=_UNKNOWN if state.fraction_bits is None else state.fraction_bits,
        selected=tuple(pending.selected.parts()) if pending.selected else (),
        chunks=pending.chunks,
        failure=pending.failure,
        announced=state.announced or "",
    )
    return bytes([_STATE_VERSION]) + stored.packed(state.task)


def load(data: bytes | None) -> TaskState | None:
    """The state from bytes. Raises ValueError for state of another version."""
    if data is None:
        return None
    if data[0] != _STATE_VERSION:
        raise ValueError(f"task state of version {data[0]}; this job reads version {_STATE_VERSION}")
    stored = _Stored.of(unpack(data[1:])[2])
    record = stored.record
    return TaskState(
        task=record.task,
        specification=record.specification,
        registered=stored.registered or None,
        created_ms=record.created_ms,
        record_version=record.version,
        model=Model(
            layout=record.layout,
            version=record.base_version,
            digest=record.base_digest,
            chunks=record.base_chunks,
            optimizer_chunks=tuple(stored.optimizer_chunks.values()),
        ),
        round=stored.round,
        attempt=stored.attempt,
        open=bool(stored.is_open),
        fraction_bits=None if stored.fraction_bits == _UNKNOWN else stored.fraction_bits,
        pending=Pending(
            selected=Selected.of(stored.selected) if stored.selected else None,
            chunks=stored.chunks,
            failure=stored.failure,
        ),
        status=record.status,
        reason=record.reason,
        announced=RoundStatus(stored.announced) if stored.announced else None,
    )
