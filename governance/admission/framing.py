"""Step 2: envelope framing.

An envelope that contributes has exactly one signature. DSSE allows more, but the keyid and the number of signatures are
not signed: if a second one were tolerated, anybody could add it to somebody else's envelope and so make a second record
with the same content, which would pass for the signer's equivocation. With one signature, a canonical encoding and
Ed25519's strict form, nobody but the signer can make other bytes of the same update.

Nobody vouches for these bytes yet: `open_envelope` bounds what they may make of memory.
"""

from __future__ import annotations

from fluvial.identity.envelope import open_envelope
from fluvial.wire.errors import DecodeError, NonCanonical
from fluvial.wire.records import Envelope, Reason
from governance.admission.judgement import Fault


def open_one_signature(raw: bytes) -> Envelope | Fault:
    """The envelope, nothing of it verified; ENVELOPE or NON_CANONICAL when it is none."""
    try:
        envelope = open_envelope(raw)
    except NonCanonical:
        return Fault(reason=Reason.NON_CANONICAL)
    except DecodeError:
        return Fault(reason=Reason.ENVELOPE)
    return envelope if len(envelope.signatures) == 1 else Fault(reason=Reason.ENVELOPE)
