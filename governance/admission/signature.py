"""Step 4, signature: Ed25519 over the envelope's raw payload bytes, before a byte of them is decoded."""

from __future__ import annotations

from fluvial.identity.envelope import verify_envelope
from fluvial.wire.records import Envelope, Reason
from governance.admission.judgement import Fault


def check_signature(envelope: Envelope, public_key: bytes) -> Fault | None:
    """SIGNATURE unless the key has signed. Keys of small order prove nothing and are refused with it."""
    return None if verify_envelope(envelope, public_key) else Fault(reason=Reason.SIGNATURE)
