"""Rounds and accepted updates for the tests of aggregation."""

from typing import Any

from fluvial.wire.layout import layout_digest
from fluvial.wire.records import (
    AcceptedUpdate,
    ChunkReference,
    ModelUpdate,
    Round,
    RoundStatus,
    TensorLayout,
    WindowMode,
)

LAYOUT = (TensorLayout(name="weight", shape=(2, 3)), TensorLayout(name="bias", shape=(2,)))


def a_round(**changes: Any) -> Round:
    values: dict[str, Any] = {
        "task": "demo",
        "round": 1,
        "attempt": 1,
        "status": RoundStatus.OPEN,
        "base_version": 0,
        "base_digest": bytes(32),
        "base_chunks": (),
        "layout": LAYOUT,
        "layout_digest": layout_digest(LAYOUT),
        "num_elements": 8,
        "chunk_elements": 4,
        "opened_ms": 1_000,
        "deadline_ms": 2_000,
        "quorum": 2,
        "target": 3,
        "max_abs": 10.0,
        "max_norm": 0.0,
        "max_weight": 100,
        "fraction_bits": 30,
        "kept_versions": 4,
        "rule": '{"name": "weighted_mean"}',
        "server_optimizer": "",
        "optimizer_chunks": (),
        "window": WindowMode.SYNCHRONOUS,
        "grace_ms": 0,
        "max_staleness": 0,
        "staleness": "",
        "seed": bytes(32),
        "invited_fraction": 1.0,
        "partial": False,
        "encodings": ("float32",),
        "agreement": "",
        "training": "{}",
    }
    return Round(**{**values, **changes})


def an_update(number: int, **changes: Any) -> AcceptedUpdate:
    values: dict[str, Any] = {
        "task": "demo",
        "round": 1,
        "attempt": 1,
        "participant": f"participant-{number}",
        "update_id": f"update-{number}",
        "source_partition": 0,
        "source_offset": number,
        "source_timestamp_ms": 1_500,
        "record_sha256": bytes([number]) * 32,
        "weight": 10,
        "encoding": "float32",
        "scales": (),
        "inline": None,
        "chunks": (),
    }
    return AcceptedUpdate(**{**values, **changes})


def a_model_update(**changes: Any) -> ModelUpdate:
    values: dict[str, Any] = {
        "task": "demo",
        "round": 1,
        "attempt": 1,
        "participant": "participant-1",
        "update_id": "update-1",
        "base_version": 0,
        "base_digest": bytes(32),
        "weight": 10,
        "encoding": "float32",
        "layout_digest": layout_digest(LAYOUT),
        "scales": (),
        "inline": None,
        "chunks": (),
        "created_ms": 1_400,
    }
    return ModelUpdate(**{**values, **changes})


def a_chunk(index: int, digest: bytes = bytes(32), length: int = 16) -> ChunkReference:
    return ChunkReference(partition=0, offset=index, length=length, sha256=digest)
