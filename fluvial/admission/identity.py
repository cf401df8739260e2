"""Step 3, identity: who claims to have signed. The claim selects a key, and nothing else until the signature is
verified.

Revocation is told after the signature (step 4), so that KEY_REVOKED says something of the participant and not of
whoever used its name.
"""

from __future__ import annotations

from fluvial.admission.case import Case
from fluvial.admission.judgement import Fault
from fluvial.admission.views import RegistryView
from fluvial.wire.records import Participant, ParticipantStatus, Reason


def check_routing(case: Case) -> Fault | None:
    """PARTICIPANT_MISMATCH unless the Kafka key names who claims to have signed.

    The key chose the state that remembers what this participant had accepted; under another key an update could be
    brought in twice.
    """
    named = case.source.key == case.envelope.signatures[0].keyid.encode()
    return None if named else Fault(reason=Reason.PARTICIPANT_MISMATCH)


def find_participant(case: Case, registry: RegistryView) -> Fault | None:
    """Finds the enrolled participant, also a revoked one; PARTICIPANT_MISMATCH, or KEY_UNKNOWN, which waits, for a name
    not in the registry."""
    fault = check_routing(case)
    if fault is not None:
        return fault
    participant = registry.participant(case.envelope.signatures[0].keyid)
    if participant is None:
        return Fault(reason=Reason.KEY_UNKNOWN, waits=True)
    case.participant = participant
    return None


def check_revocation(participant: Participant) -> Fault | None:
    """KEY_REVOKED unless the participant is active."""
    return None if participant.status is ParticipantStatus.ACTIVE else Fault(reason=Reason.KEY_REVOKED)
