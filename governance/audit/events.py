"""Makes audit events of what happened. Ids, types and subjects follow `fluvial.transparency.event`.

`time_ms` is the broker time of the cause, never a clock of ours, so that a stage which repeats itself writes the same
bytes.
"""

from dataclasses import replace

from fluvial.transparency.event import (
    EVENT_TYPES,
    SIGNED_PARTICIPANT,
    Recorded,
    event_id,
    read_event,
    read_signed_participant,
    subject,
)
from fluvial.wire import framing
from fluvial.wire.errors import DecodeError, FluvialError
from fluvial.wire.records import (
    AuditEvent,
    InferenceSummary,
    InputGap,
    Lease,
    OverRate,
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
from fluvial.wire.varint import long_bytes

MAX_DATA_BYTES = 32 * 1024
MAX_TIME_MS = 253_402_300_799_999
"""The end of the year 9999, the last that RFC 3339 can write."""


_HEADER = framing.sole_header(AuditEvent)
"""There while events have one version."""


class EventRefused(FluvialError):
    """A record of the topic `events` that is no event as a stage writes it. It gets no leaf."""


SOURCES: dict[type[Recorded], str] = {
    Verdict: "/validation",
    Participant: "/validation",
    RoundEvent: "/aggregation",
    PublishedModel: "/aggregation",
    Receipt: "/aggregation",
    Release: "/evaluation",
    Variant: "/acceleration",
    Promotion: "/promotion",
    InferenceSummary: "/inference",
    SetAside: "/jobs",
    InputGap: "/validation",
    Lease: "/jobs",
    OverRate: "/validation",
}
"""CloudEvents source of each: the stage."""

_SOURCE_AND_TYPE = {
    kind: b"".join([long_bytes(len(text)) + text for text in (source.encode(), EVENT_TYPES[kind].encode())])
    for kind, source in SOURCES.items()
}
"""As they stand in an event's bytes."""


def audit_event(record: Recorded, time_ms: int, encoded: bytes | None = None) -> AuditEvent:
    """The event that tells of a record. Raises ValueError if the record is larger than an event may be (32 KiB).

    encoded: the record's bytes, where the caller has them.
    """
    data = framing.encode(record) if encoded is None else encoded
    _check_size(record, data)
    return AuditEvent(
        id=event_id(record),
        source=SOURCES[type(record)],
        type=EVENT_TYPES[type(record)],
        subject=subject(record),
        time_ms=time_ms,
        data=data,
    )


def encoded_event(record: Recorded, time_ms: int, encoded: bytes | None = None) -> tuple[str, bytes]:
    """Id and bytes of the event that `audit_event` makes of the same, in half of the time."""
    if _HEADER is None:
        event = audit_event(record, time_ms, encoded)
        return event.id, framing.encode(event)
    data = framing.encode(record) if encoded is None else encoded
    _check_size(record, data)
    named, of_whom = event_id(record), subject(record).encode()
    name = named.encode()
    parts = (
        _HEADER,
        long_bytes(len(name)),
        name,
        _SOURCE_AND_TYPE[type(record)],
        long_bytes(len(of_whom)),
        of_whom,
        long_bytes(time_ms),
        long_bytes(len(data)),
        data,
    )
    return named, b"".join(parts)


def verdict_event(verdict: Verdict) -> AuditEvent:
    """The event of a verdict, at the broker time of the record that was judged."""
    return audit_event(verdict, verdict.source_timestamp_ms)


def participant_event(raw: bytes, time_ms: int) -> AuditEvent:
    """The event of a participant's record as it stands in the registry, sealed. Raises DecodeError if it is none."""
    event = audit_event(read_signed_participant(raw), time_ms, raw)
    return replace(event, type=SIGNED_PARTICIPANT)


def _check_size(record: Recorded, data: bytes) -> None:
    if len(data) > MAX_DATA_BYTES:
        raise ValueError(
            f"{type(record).__name__} of {len(data)} bytes does not fit an audit event of {MAX_DATA_BYTES}"
        )


def open_event(value: bytes) -> AuditEvent:
    """The event in a record of the topic `events`. Raises EventRefused unless it is the one that `audit_event` makes of
    the record in it: of its id, source, type and subject."""
    try:
        event = framing.decode(value, AuditEvent)
        recorded = read_event(event)
        if not 0 <= event.time_ms <= MAX_TIME_MS:
            raise EventRefused(f"its time is {event.time_ms} ms")
        _check_size(recorded, event.data)
        made = event_id(recorded), SOURCES[type(recorded)], subject(recorded)
        if made != (event.id, event.source, event.subject):
            raise EventRefused(f"it is called {event.id}, its data {event_id(recorded)}")
    except (DecodeError, ValueError) as error:
        raise EventRefused(str(error)) from error
    return event
