"""Makes audit events of what happened. Ids, types and subjects follow `fluvial.transparency.event`.

`time_ms` is the broker time of the cause, never a clock of ours, so that a stage which repeats itself writes the same
bytes.
"""

from fluvial.transparency.event import EVENT_TYPES, Recorded, event_id, subject
from fluvial.wire import framing
from fluvial.wire.records import (
    AuditEvent,
    Participant,
    Promotion,
    PublishedModel,
    Receipt,
    Release,
    RoundEvent,
    SetAside,
    Variant,
    Verdict,
)

MAX_DATA_BYTES = 32 * 1024

_SOURCES: dict[type[Recorded], str] = {
    Verdict: "/validation",
    Participant: "/validation",
    RoundEvent: "/aggregation",
    PublishedModel: "/aggregation",
    Receipt: "/aggregation",
    Release: "/evaluation",
    Variant: "/acceleration",
    Promotion: "/promotion",
    SetAside: "/jobs",
}


def audit_event(record: Recorded, time_ms: int, encoded: bytes | None = None) -> AuditEvent:
    """The event that tells of a record. Raises ValueError if the record is larger than an event may be (32 KiB).

    encoded: the record's bytes, where the caller has them.
    """
    data = framing.encode(record) if encoded is None else encoded
    if len(data) > MAX_DATA_BYTES:
        raise ValueError(
            f"{type(record).__name__} of {len(data)} bytes does not fit an audit event of {MAX_DATA_BYTES}"
        )
    return AuditEvent(
        id=event_id(record),
        source=_SOURCES[type(record)],
        type=EVENT_TYPES[type(record)],
        subject=subject(record),
        time_ms=time_ms,
        data=data,
    )


def verdict_event(verdict: Verdict) -> AuditEvent:
    """The event of a verdict, at the broker time of the record that was judged."""
    return audit_event(verdict, verdict.source_timestamp_ms)
