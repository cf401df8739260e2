"""Records of a small federation, with defaults, for the tests of the demonstration."""

from __future__ import annotations

from typing import Any

from fluvial.wire.records import (
    Contribution,
    Decision,
    Metric,
    ModelManifest,
    Outcome,
    Reason,
    Receipt,
    Release,
    Round,
    RoundStatus,
    Verdict,
    WindowMode,
)

UPDATES = "fluvial.updates"
TASK = "digits"


def round_(number: int = 1, **changes: Any) -> Round:
    fields: dict[str, Any] = {
        "task": TASK,
        "round": number,
        "attempt": 1,
        "status": RoundStatus.OPEN,
        "base_version": number - 1,
        "base_digest": bytes(32),
        "base_chunks": (),
        "layout": (),
        "layout_digest": bytes(32),
        "num_elements": 10,
        "chunk_elements": 5,
        "opened_ms": 1000 * number,
        "deadline_ms": 1000 * number + 20_000,
        "quorum": 2,
        "target": 3,
        "max_abs": 4.0,
        "max_norm": 0.0,
        "max_weight": 100,
        "fraction_bits": 20,
        "kept_versions": 16,
        "rule": "{}",
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
    return Round(**{**fields, **changes})


def verdict(offset: int, reason: Reason = Reason.ACCEPTED, **changes: Any) -> Verdict:
    accepted = reason is Reason.ACCEPTED
    fields: dict[str, Any] = {
        "source_topic": UPDATES,
        "source_partition": 0,
        "source_offset": offset,
        "source_timestamp_ms": 1500,
        "record_sha256": bytes(32),
        "participant": "a",
        "task": TASK,
        "round": 1 if accepted else 0,
        "attempt": 1 if accepted else 0,
        "update_id": f"update-{offset}",
        "decision": Decision.ACCEPT if accepted else Decision.REJECT,
        "reason": reason,
        "norm": 0.0,
        "max_abs": 0.0,
    }
    return Verdict(**{**fields, **changes})


def receipt(update: int, outcome: Outcome = Outcome.INCLUDED, **changes: Any) -> Receipt:
    fields: dict[str, Any] = {
        "task": TASK,
        "round": 1,
        "attempt": 1,
        "participant": "a",
        "update_id": f"update-{update}",
        "outcome": outcome,
        "version": 1,
        "weight": 10,
        "model_digest": bytes(32),
    }
    return Receipt(**{**fields, **changes})


def contribution(participant: str, *, selected: bool = True) -> Contribution:
    return Contribution(
        participant=participant,
        update_id=f"update-of-{participant}",
        source_partition=0,
        source_offset=0,
        record_sha256=bytes(32),
        weight=10,
        selected=selected,
        effective_weight=10 if selected else 0,
        round=1,
    )


def manifest(version: int, contributions: tuple[Contribution, ...] = (), **changes: Any) -> ModelManifest:
    fields: dict[str, Any] = {
        "task": TASK,
        "version": version,
        "parent_version": version - 1,
        "parent_digest": bytes(32),
        "round": version,
        "attempt": 1,
        "rule": "{}",
        "server_optimizer": "",
        "staleness": "",
        "optimizer_chunks": (),
        "partial": False,
        "fraction_bits": 20,
        "total_weight": 30,
        "layout": (),
        "num_elements": 10,
        "chunk_elements": 5,
        "chunks": (),
        "model_digest": bytes(32),
        "contributions": contributions,
        "created_ms": 1000 * (version + 1),
    }
    return ModelManifest(**{**fields, **changes})


def release(version: int, **metrics: float) -> Release:
    return Release(
        task=TASK,
        version=version,
        model_digest=bytes(32),
        metrics=tuple(Metric(name=name, value=value) for name, value in metrics.items()),
        num_examples=100,
        device="cpu",
        duration_ms=5,
    )
