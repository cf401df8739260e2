"""Receipts: what became of an accepted update, for its participant and for the audit log."""

from __future__ import annotations

from collections.abc import Iterator

from fluvial.wire.framing import encode
from fluvial.wire.records import AcceptedUpdate, Outcome, Receipt
from pipelines.config import Settings
from pipelines.flink.audit_frames import audit_frame
from pipelines.flink.frames import sink_frame


def receipt_frames(settings: Settings, update: AcceptedUpdate, outcome: Outcome) -> Iterator[bytes]:
    """Sink frames of a receipt for an update that became part of no model."""
    receipt = Receipt(
        task=update.task,
        round=update.round,
        attempt=update.attempt,
        participant=update.participant,
        update_id=update.update_id,
        outcome=outcome,
        version=0,
        weight=update.weight,
        model_digest=b"",
    )
    yield from frames_of_receipt(settings, receipt, update.source_timestamp_ms)


def frames_of_receipt(settings: Settings, receipt: Receipt, time_ms: int) -> Iterator[bytes]:
    """Sink frames of a receipt and of its audit event. time_ms: broker time of the cause."""
    encoded, topics = encode(receipt), settings.topics
    yield sink_frame(topics.receipts, receipt.participant.encode(), encoded)
    yield audit_frame(topics, receipt, time_ms, encoded)
