"""Step 3, identity: who claims to have signed. The claim selects a key, and nothing else until the signature is
verified.

Revocation is told after the signature (step 4), so that KEY_REVOKED says something of the participant and not of
whoever used its name.
"""

from __future__ import annotations

from fluvial.wire.records import Participant, ParticipantStatus, Reason
from governance.admission.judgement import Fault, Source
from governance.admission.views import RegistryView


def check_routing(keyid: str, source: Source) -> Fault | None:
    """PARTICIPANT_MISMATCH unless the Kafka key names the signer.

    The key chose the state that remembers what this participant had accepted; under another key an update could be
    brought in twice.
    """
    return None if source.key == keyid.encode() else Fault(reason=Reason.PARTICIPANT_MISMATCH)


def find_participant(keyid: str, registry: RegistryView) -> Participant | Fault:
    """The enrolled participant, also a revoked one; KEY_UNKNOWN, which waits, for a name not in the registry."""
    return registry.participant(keyid) or Fault(reason=Reason.KEY_UNKNOWN, waits=True)


def check_revocation(participant: Participant) -> Fault | None:
    """KEY_REVOKED unless the participant is active."""
    return None if participant.status is ParticipantStatus.ACTIVE else Fault(reason=Reason.KEY_REVOKED)
