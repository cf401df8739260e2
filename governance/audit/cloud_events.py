"""CloudEvents headers of a leaf: binary content mode of the Kafka protocol binding (CloudEvents 1.0.2).

The headers are for routers and viewers; the leaf alone, the record's value, is what the log commits to.
"""

from datetime import datetime, timedelta
from functools import lru_cache

from fluvial.wire.media_types import media_type
from fluvial.wire.records import AuditEvent, SequencedEvent

_EPOCH = datetime(1970, 1, 1)
_CONTENT_TYPE = media_type(SequencedEvent).encode()


def headers(event: AuditEvent) -> list[tuple[str, bytes]]:
    """Header names and values of the event."""
    attributes = [
        ("ce_specversion", b"1.0"),
        ("ce_id", event.id.encode()),
        ("ce_source", event.source.encode()),
        ("ce_type", event.type.encode()),
        ("ce_time", _rfc3339(event.time_ms)),
        ("content-type", _CONTENT_TYPE),
    ]
    if event.subject:
        # Optional, and CloudEvents has no empty one: the event of a record whose sender claims no valid name has none.
        attributes.insert(-1, ("ce_subject", event.subject.encode()))
    return attributes


@lru_cache(maxsize=4096)  # what lies near in the log was written at the same time
def _rfc3339(time_ms: int) -> bytes:
    return f"{(_EPOCH + timedelta(milliseconds=time_ms)).isoformat(timespec='milliseconds')}Z".encode()
