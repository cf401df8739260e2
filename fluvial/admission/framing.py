"""Step 2: envelope framing.

An envelope that contributes has exactly one signature. DSSE allows more, but the keyid and the number of signatures are
not signed: if a second one were tolerated, anybody could add it to somebody else's envelope and so make a second record
with the same content, which would pass for the signer's equivocation. With one signature, a canonical encoding and
Ed25519's strict form, nobody but the signer can make other bytes of the same update.

Nobody vouches for these bytes yet: `fluvial.identity.envelope` bounds what they may make of memory.
"""

from __future__ import annotations

from fluvial.admission.case import Case
from fluvial.admission.judgement import Fault
from fluvial.identity import envelope as envelopes
from fluvial.wire.errors import DecodeError, NonCanonical
from fluvial.wire.records import Reason


def open_envelope(case: Case) -> Fault | None:
    """Finds the envelope, nothing of it verified; ENVELOPE or NON_CANONICAL when the bytes are none."""
    try:
        case.envelope = envelopes.open_envelope(case.raw)
    except NonCanonical:
        return Fault(reason=Reason.NON_CANONICAL)
    except DecodeError:
        return Fault(reason=Reason.ENVELOPE)
    return None if len(case.envelope.signatures) == 1 else Fault(reason=Reason.ENVELOPE)
