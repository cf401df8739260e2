"""CloudEvents headers of a leaf: binary content mode of the Kafka protocol binding (CloudEvents 1.0.2).

The headers are for routers and viewers; the leaf alone, the record's value, is what the log commits to.
"""

from datetime import datetime, timedelta

from fluvial.wire.media_types import media_type
from fluvial.wire.records import AuditEvent, SequencedEvent

_EPOCH = datetime(1970, 1, 1)
_CONTENT_TYPE = media_type(SequencedEvent)


def headers(event: AuditEvent) -> list[tuple[str, bytes]]:
    """Header names and values of the event."""
    attributes = {
        "ce_specversion": "1.0",
        "ce_id": event.id,
        "ce_source": event.source,
        "ce_type": event.type,
        "ce_time": _rfc3339(event.time_ms),
        # Optional, and CloudEvents has no empty one: the event of a record whose sender claims no valid name has none.
        **({"ce_subject": event.subject} if event.subject else {}),
        "content-type": _CONTENT_TYPE,
    }
    return [(name, value.encode()) for name, value in attributes.items()]


def _rfc3339(time_ms: int) -> str:
    return (_EPOCH + timedelta(milliseconds=time_ms)).isoformat(timespec="milliseconds") + "Z"
