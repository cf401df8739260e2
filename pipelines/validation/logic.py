"""What becomes of a record that cannot be judged yet, and what a verdict puts on the topics. Pure.

An update may overtake the round it is for, or the enrolment of its participant, because they travel on different
topics. It is parked and judged again, and refused only when the wait is over.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from fluvial.wire.framing import encode
from fluvial.wire.records import Verdict
from fluvial.wire.topics import Topics
from governance.admission.gate import keeps_raw
from governance.audit.events import verdict_event
from pipelines.flink.frames import sink_frame

RETRY_MS = 100
"""Pause between two looks at a parked record."""

MAX_PARKED = 64
"""Records that one participant may have parked; one more is judged finally at once."""

_DEADLINE = struct.Struct(">q")


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedRecord:
    """A source frame that waits, and the time from which it waits no longer."""

    refuse_at_ms: int
    frame: bytes

    def dump(self) -> bytes:
        return _DEADLINE.pack(self.refuse_at_ms) + self.frame

    @classmethod
    def load(cls, data: bytes) -> ParkedRecord:
        return cls(refuse_at_ms=_DEADLINE.unpack_from(data)[0], frame=data[_DEADLINE.size :])


def park(
    frame: bytes, num_parked: int, *, now_ms: int, started_ms: int, parking_ms: int, startup_grace_ms: int
) -> ParkedRecord | None:
    """Park a record, or None when this participant has too many waiting.

    started_ms: when this subtask started without state. Until `startup_grace_ms` after it, the registry may not have
    been read to its end, so nothing is refused for being unknown.
    """
    if num_parked >= MAX_PARKED:
        return None
    return ParkedRecord(refuse_at_ms=max(now_ms + parking_ms, started_ms + startup_grace_ms), frame=frame)


def verdict_frames(topics: Topics, verdict: Verdict, raw: bytes) -> list[bytes]:
    """Sink frames of a verdict: the verdict, its audit event, and the raw bytes in quarantine where they are kept."""
    encoded = encode(verdict)
    key = verdict.participant.encode()
    event = verdict_event(verdict)
    frames = [
        sink_frame(topics.verdicts, key, encoded),
        sink_frame(topics.events, event.id.encode(), encode(event)),
    ]
    if keeps_raw(verdict):
        source = f"{verdict.source_topic}/{verdict.source_partition}/{verdict.source_offset}"
        frames.append(sink_frame(topics.quarantine, source.encode(), raw, [("reason", verdict.reason.value.encode())]))
    return frames
