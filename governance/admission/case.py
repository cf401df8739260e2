"""One record on its way through the gate: what is known of it so far, and the verdict that this knowledge gives.

A verdict is evidence for years and is read by strangers: it holds enums, numbers, digests and names of a bounded form,
never free text of the sender.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from fluvial.wire.records import ModelUpdate, Reason, Verdict
from governance.admission.judgement import Fault, Parked, Refused, Source
from governance.admission.names import is_name
from governance.admission.reasons import decision


@dataclass(slots=True, kw_only=True)
class Case:
    """participant: claimed until the signature is verified; empty where the claim is no name. update: once decoded.

    Not frozen: what is known grows with every step.
    """

    source: Source
    record_sha256: bytes
    participant: str
    quarantined: Set[Reason]
    update: ModelUpdate | None = None

    def verdict(self, reason: Reason, *, norm: float = 0.0, max_abs: float = 0.0) -> Verdict:
        """The one verdict on this record. A pure function of the record, its position and the views."""
        update = self.update
        return Verdict(
            source_topic=self.source.topic,
            source_partition=self.source.partition,
            source_offset=self.source.offset,
            source_timestamp_ms=self.source.timestamp_ms,
            record_sha256=self.record_sha256,
            participant=self.participant,
            task=update.task if update else "",
            round=update.round if update else 0,
            attempt=update.attempt if update else 0,
            update_id=update.update_id if update else "",
            decision=decision(reason, self.quarantined),
            reason=reason,
            norm=norm,
            max_abs=max_abs,
        )

    def settle(self, fault: Fault, *, final: bool) -> Refused | Parked:
        """Park what may still turn, unless the wait is over; refuse the rest."""
        if fault.waits and not final:
            return Parked(what=fault.reason)
        return Refused(verdict=self.verdict(fault.reason))


def claimed_name(key: bytes | None) -> str:
    """The participant that a Kafka key claims; empty when it is no name."""
    name = (key or b"").decode("ascii", "replace")
    return name if is_name(name) else ""
