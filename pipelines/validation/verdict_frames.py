"""What a verdict puts on the topics."""

from __future__ import annotations

from fluvial.wire.framing import encode
from fluvial.wire.records import Verdict
from fluvial.wire.topics import Topics
from governance.admission.gate import keeps_raw
from pipelines.flink.audit_frames import audit_frame
from pipelines.flink.frames import sink_frame


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
