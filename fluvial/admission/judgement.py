"""The values that go into the gate and come out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fluvial.admission.decisions import QUARANTINED
from fluvial.encoding.inspection import Numbers
from fluvial.wire.quick_init import quick_init
from fluvial.wire.records import ModelUpdate, Participant, Reason, Round, Verdict
from fluvial.wire.version import Version

Place = tuple[str, int, int]
"""Topic, partition and offset of a record."""


@quick_init
@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a record lies and what the broker says of it.

    timestamp_ms: broker time (LogAppendTime). key: the Kafka key, which routed the record to the state that answers
    `SeenView`; so it must name the participant that signed.
    """

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None

    @property
    def place(self) -> Place:
        return self.topic, self.partition, self.offset


@dataclass(frozen=True, slots=True, kw_only=True)
class GatePolicy:
    """What the federation's operator allows, beyond what each round says.

    max_record_bytes: largest envelope that is parsed. partitions: of the blob topic. max_inline_bytes: largest delta
    inside an envelope. quarantined: reasons for which a record is held rather than rejected. schema_ids: ids of a
    schema registry pinned to versions of records, where payloads may carry Confluent framing. scope:
    `Topics.scope`. Raises ValueError for
    limits below one and for a quarantine of what is accepted or a repeat.
    """

    max_record_bytes: int
    partitions: int
    max_inline_bytes: int = 64 << 10
    quarantined: frozenset[Reason] = QUARANTINED
    schema_ids: Mapping[int, Version] = field(default_factory=dict)
    scope: str = ""

    def __post_init__(self) -> None:
        if min(self.max_record_bytes, self.partitions, self.max_inline_bytes) < 1:
            raise ValueError("max_record_bytes, partitions and max_inline_bytes must be at least 1")
        if self.quarantined & {Reason.ACCEPTED, Reason.DUPLICATE_IGNORED}:
            raise ValueError("neither accepted records nor duplicates can be quarantined")


@quick_init
@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What a check found. waits: a record under way on another topic may still turn it."""

    reason: Reason
    waits: bool = False


@quick_init
@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The record is judged: rejected, quarantined or a duplicate."""

    verdict: Verdict


@quick_init
@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """A record under way on another topic may still turn it: judge it again. verdict: holds when the wait is over."""

    verdict: Verdict


@quick_init
@dataclass(frozen=True, slots=True, kw_only=True)
class NeedsEvidence:
    """Everything that the record itself says is in order: it is ACCEPTED, should all evidence be in its favour.
    numbers: what its inline delta was found to be, where it was looked at together with others."""

    source: Source
    record_sha256: bytes
    update: ModelUpdate
    round: Round
    participant: Participant
    numbers: Numbers | None = None


Judgement = Refused | Parked | NeedsEvidence
