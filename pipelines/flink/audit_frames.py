"""Sink frames of audit events: what every stage writes beside what it decides."""

from __future__ import annotations

from fluvial.transparency.event import Recorded
from fluvial.wire.framing import encode
from fluvial.wire.topics import Topics
from governance.audit.events import encoded_event, participant_event
from pipelines.flink.frames import sink_frame


def audit_frame(topics: Topics, record: Recorded, time_ms: int, encoded: bytes | None = None) -> bytes:
    """The event that tells of a record, for topic events. time_ms: broker time of the cause. encoded: the record's
    bytes, where the caller has them."""
    name, event = encoded_event(record, time_ms, encoded)
    return sink_frame(topics.events, name.encode(), event)


def participant_frame(topics: Topics, sealed: bytes, time_ms: int) -> bytes:
    """The event of a participant's record as the registry gets it, with its signature."""
    event = participant_event(sealed, time_ms)
    return sink_frame(topics.events, event.id.encode(), encode(event))
