"""A record that has no verdict yet, as it lies in Flink's state and in memory."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import Enum, auto

from fluvial.admission.judgement import NeedsEvidence
from governance.admission.evidence import Finding
from pipelines.flink.frames import SourceRecord, parse_source, source_frame

_TIMES = struct.Struct(">qq")


class State(Enum):
    """What a record waits for; `pipelines.validation.record_life` has the table."""

    NEW = auto()
    UNHEARD = auto()
    QUEUED = auto()
    CHECKED = auto()


@dataclass(slots=True, kw_only=True, eq=False)
class Waiting:
    """since_ms: when the record came. refuse_at_ms: until when what it lacks may come. order: of arrival in its lane.

    Memory only: is_kept: it lies in Flink's state. look_at_ms: when to look at it next, while it is UNHEARD. knowledge:
    what was known when it was last judged. needs, findings: what it is checked for, and what has been found.
    """

    record: SourceRecord
    since_ms: int
    refuse_at_ms: int
    order: int = 0
    state: State = State.NEW
    is_kept: bool = False
    look_at_ms: int = 0
    knowledge: int = -1
    needs: NeedsEvidence | None = None
    findings: list[Finding] = field(default_factory=list)

    @property
    def key(self) -> str:
        """The record's place, under which it is kept."""
        return f"{self.record.partition}@{self.record.offset}"

    def dump(self) -> bytes:
        return _TIMES.pack(self.since_ms, self.refuse_at_ms) + source_frame(self.record)

    @classmethod
    def load(cls, data: bytes) -> Waiting:
        since_ms, refuse_at_ms = _TIMES.unpack_from(data)
        record = parse_source(data[_TIMES.size :])
        return cls(record=record, since_ms=since_ms, refuse_at_ms=refuse_at_ms, is_kept=True)
