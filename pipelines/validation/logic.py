"""What becomes of a record that cannot be judged yet, and what a verdict puts on the topics. Pure.

An update may overtake the round it is for, or the enrolment of its participant, because they travel on different
topics. It is parked and judged again, and refused only when the wait is over. An update whose content lies in chunks is
parked too, for a moment: content is read for many updates at once.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from fluvial.wire.framing import encode
from fluvial.wire.records import Verdict
from fluvial.wire.topics import Topics
from governance.admission.gate import keeps_raw
from pipelines.flink.audit_frames import audit_frame
from pipelines.flink.frames import sink_frame

RETRY_MS = 100
"""Pause before a parked record is looked at again; `retry_ms` for the looks after that."""

_LONGEST_RETRY_MS = 1_000

MAX_PARKED = 64
"""Records of one participant that may wait for what is not heard of yet; one more is judged finally at once."""

BATCH_MS = 20
"""Wait of an update before its content is read, so that updates uploaded together are read together."""

READING_MS = 10
"""Pause between two looks at an update whose content is being read."""

MAX_BATCH_WAIT_MS = 400
"""Longest such wait, when the neighbours of its chunks stay unclaimed."""

_TIMES = struct.Struct(">qq")


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedRecord:
    """A source frame that waits, since when, and until when what it waits for may come."""

    since_ms: int
    refuse_at_ms: int
    frame: bytes

    def dump(self) -> bytes:
        return _TIMES.pack(self.since_ms, self.refuse_at_ms) + self.frame

    @classmethod
    def load(cls, data: bytes) -> ParkedRecord:
        since_ms, refuse_at_ms = _TIMES.unpack_from(data)
        return cls(since_ms=since_ms, refuse_at_ms=refuse_at_ms, frame=data[_TIMES.size :])


def park(
    frame: bytes, num_parked: int, *, now_ms: int, started_ms: int, parking_ms: int, startup_grace_ms: int
) -> ParkedRecord | None:
    """Park a record, or None when this participant has too many waiting. num_parked: of those that count.

    started_ms: when this subtask started without state. Until `startup_grace_ms` after it, the registry may not have
    been read to its end, so nothing is refused for being unknown.
    """
    if num_parked >= MAX_PARKED:
        return None
    refuse_at_ms = max(now_ms + parking_ms, started_ms + startup_grace_ms)
    return ParkedRecord(since_ms=now_ms, refuse_at_ms=refuse_at_ms, frame=frame)


def retry_ms(waited_ms: int) -> int:
    """Pause before the next look at a record that has waited so long: a quarter of it, within bounds.

    After a start with a long backlog tens of thousands wait for the registry; judging all of them ten times a second
    would keep the registry from being read.
    """
    return min(max(RETRY_MS, waited_ms // 4), _LONGEST_RETRY_MS)


def verdict_frames(topics: Topics, verdict: Verdict, raw: bytes) -> list[bytes]:
    """Sink frames of a verdict: the verdict, its audit event, and the raw bytes in quarantine where they are kept."""
    encoded = encode(verdict)
    key = verdict.participant.encode()
    frames = [
        sink_frame(topics.verdicts, key, encoded),
        audit_frame(topics, verdict, verdict.source_timestamp_ms, encoded),
    ]
    if keeps_raw(verdict):
        source = f"{verdict.source_topic}/{verdict.source_partition}/{verdict.source_offset}"
        frames.append(sink_frame(topics.quarantine, source.encode(), raw, [("reason", verdict.reason.value.encode())]))
    return frames
