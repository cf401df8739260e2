"""Step 4, signature: Ed25519 over the envelope's raw payload bytes, before a byte of them is decoded.

Nothing here depends on what was accepted before, so the signatures of records that came together, a third of an
envelope's cost, are checked together, by several threads.
"""

from __future__ import annotations

from collections.abc import Sequence

from fluvial.admission.case import Case
from fluvial.admission.identity import check_revocation
from fluvial.admission.judgement import Fault
from fluvial.identity.envelope import verify_envelopes
from fluvial.wire.records import Reason


def check_signatures(cases: Sequence[Case]) -> None:
    """Gives each case SIGNATURE unless the participant's key has signed, and KEY_REVOKED where the key that has is
    revoked. Keys of small order prove nothing and are refused with SIGNATURE."""
    good = verify_envelopes([(case.envelope, case.participant.public_key) for case in cases])
    for case, is_signed in zip(cases, good, strict=True):
        case.fault = check_revocation(case.participant) if is_signed else Fault(reason=Reason.SIGNATURE)
