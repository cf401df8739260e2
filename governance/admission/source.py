"""Where a record came from, and what admission may look up. Views are read-only: nothing here changes state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from fluvial.wire.records import Participant, Round, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A record's place in the log. key: the Kafka key, a claim like everything before the signature."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GatePolicy:
    """Limits that hold for all tasks. partitions: of topic update-blobs."""

    max_record_bytes: int
    partitions: int


class RegistryView(Protocol):
    """The verified registry. A name that is not there gives None, and None refuses."""

    def participant(self, participant: str) -> Participant | None: ...
    def agreement_sha(self, agreement: str) -> bytes | None: ...
    def agreement_period(self, agreement: str) -> tuple[int, int] | None: ...
    def task(self, task: str) -> Task | None: ...


class RoundsView(Protocol):
    """The newest round of each task, verified."""

    def current(self, task: str) -> Round | None: ...


class SeenView(Protocol):
    """What of this participant was accepted before."""

    def accepted(self, task: str, round: int, attempt: int) -> bytes | None: ...
    def digest_seen(self, record_sha256: bytes) -> bool: ...
