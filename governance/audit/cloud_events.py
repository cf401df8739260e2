"""CloudEvents headers of a leaf: binary content mode of the Kafka protocol binding (CloudEvents 1.0.2).

The headers are for routers and viewers; the leaf alone, the record's value, is what the log commits to.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

from fluvial.wire.media_types import media_type
from fluvial.wire.records import AuditEvent, SequencedEvent

_EPOCH = datetime(1970, 1, 1)
SPECVERSION = b"1.0"
CONTENT_TYPE = media_type(SequencedEvent).encode()


class Attributes(NamedTuple):
    """What the headers tell of an event. All but the id and the time are UTF-8."""

    id: str
    source: bytes
    type: bytes
    subject: bytes
    time_ms: int


def attributes(event: AuditEvent) -> Attributes:
    """The attributes of an event."""
    return Attributes(event.id, event.source.encode(), event.type.encode(), event.subject.encode(), event.time_ms)


def headers(event: Attributes) -> list[tuple[str, bytes]]:
    """Header names and values of the event with these attributes."""
    named = [
        ("ce_specversion", SPECVERSION),
        ("ce_id", event.id.encode()),
        ("ce_source", event.source),
        ("ce_type", event.type),
        ("ce_time", rfc3339(event.time_ms)),
        ("content-type", CONTENT_TYPE),
    ]
    if event.subject:
        # Optional, and CloudEvents has no empty one: the event of a record whose sender claims no valid name has none.
        named.insert(-1, ("ce_subject", event.subject))
    return named


def rfc3339(time_ms: int) -> bytes:
    """A time as CloudEvents writes it."""
    return f"{(_EPOCH + timedelta(milliseconds=time_ms)).isoformat(timespec='milliseconds')}Z".encode()
