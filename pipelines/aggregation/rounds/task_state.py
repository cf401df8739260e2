"""Bytes of a task's state and of the messages about it: a version byte and JSON. Rare, so readable beats small."""

from __future__ import annotations

import json
from typing import Any

from fluvial.wire.records import ChunkReference, Contribution, TensorLayout
from pipelines.aggregation.rounds.records import Model
from pipelines.aggregation.rounds.task_life import Pending, TaskState

_STATE_VERSION = 3


def dump(state: TaskState) -> bytes:
    """The state as bytes: a version byte and JSON."""
    pending, model = state.pending, state.model
    body: dict[str, Any] = {
        "task": state.task,
        "specification": state.specification,
        "registered": state.registered,
        "layout": [[tensor.name, list(tensor.shape)] for tensor in model.layout],
        "version": model.version,
        "digest": model.digest.hex(),
        "chunks": [_chunk_json(chunk) for chunk in model.chunks],
        "optimizer_chunks": [_chunk_json(chunk) for chunk in model.optimizer_chunks],
        "round": state.round,
        "attempt": state.attempt,
        "open": state.open,
        "pending": pending
        and {
            "round": pending.round,
            "attempt": pending.attempt,
            "contributions": pending.contributions and contributions_json(pending.contributions),
            "total_weight": pending.total_weight,
            "chunks": {str(index): _chunk_json(chunk) for index, chunk in pending.chunks.items()},
        },
    }
    return bytes([_STATE_VERSION]) + json.dumps(body, separators=(",", ":")).encode()


def load(data: bytes | None) -> TaskState | None:
    """The state from bytes. Raises ValueError for state of another version."""
    if data is None:
        return None
    if data[0] != _STATE_VERSION:
        raise ValueError(f"task state of version {data[0]}; this job reads version {_STATE_VERSION}")
    body = json.loads(data[1:])
    pending = body["pending"]
    return TaskState(
        task=body["task"],
        specification=body["specification"],
        registered=body["registered"],
        model=Model(
            layout=tuple(TensorLayout(name=name, shape=tuple(shape)) for name, shape in body["layout"]),
            version=body["version"],
            digest=bytes.fromhex(body["digest"]),
            chunks=tuple(_chunk(entry) for entry in body["chunks"]),
            optimizer_chunks=tuple(_chunk(entry) for entry in body["optimizer_chunks"]),
        ),
        round=body["round"],
        attempt=body["attempt"],
        open=body["open"],
        pending=pending
        and Pending(
            round=pending["round"],
            attempt=pending["attempt"],
            contributions=pending["contributions"] and contributions_from_json(pending["contributions"]),
            total_weight=pending["total_weight"],
            chunks={int(index): _chunk(entry) for index, entry in pending["chunks"].items()},
        ),
    )


def _chunk_json(chunk: ChunkReference) -> list[Any]:
    return [chunk.partition, chunk.offset, chunk.length, chunk.sha256.hex()]


def _chunk(entry: list[Any]) -> ChunkReference:
    partition, offset, length, digest = entry
    return ChunkReference(partition=partition, offset=offset, length=length, sha256=bytes.fromhex(digest))


def chunks_json(chunks: dict[int, ChunkReference]) -> bytes:
    """Chunks by index, for a message."""
    return json.dumps({str(index): _chunk_json(chunk) for index, chunk in chunks.items()}).encode()


def chunks_from_json(data: bytes) -> dict[int, ChunkReference]:
    return {int(index): _chunk(entry) for index, entry in json.loads(data).items()}


def contributions_json(contributions: tuple[Contribution, ...]) -> list[list[Any]]:
    return [
        [
            c.participant,
            c.update_id,
            c.source_partition,
            c.source_offset,
            c.record_sha256.hex(),
            c.weight,
            c.selected,
            c.effective_weight,
            c.round,
        ]
        for c in contributions
    ]


def contributions_from_json(entries: list[list[Any]]) -> tuple[Contribution, ...]:
    return tuple(
        Contribution(
            participant=participant,
            update_id=update_id,
            source_partition=partition,
            source_offset=offset,
            record_sha256=bytes.fromhex(digest),
            weight=weight,
            selected=selected,
            effective_weight=effective_weight,
            round=round_,
        )
        for participant, update_id, partition, offset, digest, weight, selected, effective_weight, round_ in entries
    )
