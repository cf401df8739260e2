"""One record on its way through the gate: what is known of it so far, and what this knowledge gives.

A verdict is evidence for years and is read by strangers: it holds enums, numbers, digests and names of a bounded form,
never free text of the sender.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field
from hashlib import sha256

from fluvial.admission.decisions import decision
from fluvial.admission.judgement import Fault, Judgement, NeedsEvidence, Parked, Refused, Source
from fluvial.encoding.inspection import Numbers
from fluvial.wire.names import is_name
from fluvial.wire.records import Envelope, ModelUpdate, Participant, Reason, Round, Verdict


@dataclass(slots=True, kw_only=True)
class Case:
    """What every step adds to, until one finds a fault.

    claimed: the participant that the Kafka key names; empty where the key is no name. The fields below are there once
    their step has passed. scope: of the federation that judges. numbers: of a small inline delta. round: the
    open one, whose terms hold. trained_for: the round that the update names.
    """

    raw: bytes
    source: Source
    record_sha256: bytes
    claimed: str
    quarantined: Set[Reason]
    scope: str = ""
    fault: Fault | None = None
    envelope: Envelope = field(init=False)
    participant: Participant = field(init=False)
    update: ModelUpdate | None = None
    numbers: Numbers | None = None
    round: Round = field(init=False)
    trained_for: Round = field(init=False)

    @classmethod
    def of(cls, raw: bytes, source: Source, quarantined: Set[Reason], scope: str = "") -> Case:
        """The case of a record of which nothing is known but its bytes and its place."""
        return cls(
            raw=raw,
            source=source,
            record_sha256=sha256(raw).digest(),
            claimed=claimed_name(source.key),
            quarantined=quarantined,
            scope=scope,
        )

    @property
    def signed(self) -> ModelUpdate:
        """The update, which step 5 has decoded."""
        assert self.update is not None
        return self.update

    def verdict(self, reason: Reason) -> Verdict:
        """The one verdict on this record. A pure function of the record, its position and the views."""
        update = self.update
        return Verdict(
            source_topic=self.source.topic,
            source_partition=self.source.partition,
            source_offset=self.source.offset,
            source_timestamp_ms=self.source.timestamp_ms,
            record_sha256=self.record_sha256,
            participant=self.claimed,
            task=update.task if update else "",
            round=update.round if update else 0,
            attempt=update.attempt if update else 0,
            update_id=update.update_id if update else "",
            decision=decision(reason, self.quarantined),
            reason=reason,
            norm=0.0,
            max_abs=0.0,
        )

    def judgement(self) -> Judgement:
        """Refused or parked for its fault; without one, everything but the evidence is in order."""
        if self.fault is not None:
            return refusal(self, self.fault)
        return NeedsEvidence(
            source=self.source,
            record_sha256=self.record_sha256,
            update=self.signed,
            round=self.round,
            participant=self.participant,
            numbers=self.numbers,
        )


def refusal(case: Case, fault: Fault) -> Refused | Parked:
    """Parked where a record under way may still turn the fault."""
    verdict = case.verdict(fault.reason)
    return Parked(verdict=verdict) if fault.waits else Refused(verdict=verdict)


def claimed_name(key: bytes | None) -> str:
    """The participant that a Kafka key claims; empty when it is no name."""
    name = (key or b"").decode("ascii", "replace")
    return name if is_name(name) else ""
