"""Step 9, agreement: the participant has signed, in its present text, the agreement that the round asks for, and the
agreement is in force at the record's broker time. One that it has withdrawn stands for rounds that were opened before.
"""

from __future__ import annotations

from fluvial.admission.judgement import Fault
from fluvial.admission.views import AgreementsView
from fluvial.registry.agreements import Standing, standing
from fluvial.wire.records import Agreement, Participant, Reason


def in_force(agreement: Agreement, at_ms: int) -> bool:
    """Whether the agreement holds at this broker time; the end is not included."""
    return agreement.valid_from_ms <= at_ms < agreement.valid_until_ms


def check_agreement(
    participant: Participant, agreement: str, agreements: AgreementsView, at_ms: int, begun_ms: int
) -> Fault | None:
    """AGREEMENT unless signed and in force, AGREEMENT_WITHDRAWN for one that was withdrawn before. It waits where the
    registry may not have been heard to its end.

    agreement: its name; empty where the round, which its aggregator signed, asks for none. at_ms: broker time of the
    record. begun_ms: when the round was opened that takes it; of what has no round, at_ms.
    """
    if not agreement:
        return None
    terms, sha256 = agreements.agreement(agreement), agreements.agreement_sha(agreement)
    if terms is None or sha256 is None:
        return Fault(reason=Reason.AGREEMENT, waits=True)
    if not in_force(terms, at_ms):
        return Fault(reason=Reason.AGREEMENT)
    found = standing(participant, agreement, sha256, begun_ms)
    if found.counts:
        return None
    return Fault(reason=Reason.AGREEMENT_WITHDRAWN if found is Standing.WITHDRAWN else Reason.AGREEMENT, waits=True)
