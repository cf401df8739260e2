"""Step 4, signature: Ed25519 over the envelope's raw payload bytes, before a byte of them is decoded."""

from __future__ import annotations

from collections.abc import Sequence

from fluvial.identity.envelope import verify_envelopes
from fluvial.wire.records import Envelope, Reason
from governance.admission.judgement import Fault


def check_signatures(claims: Sequence[tuple[Envelope, bytes]]) -> list[Fault | None]:
    """Of each envelope and public key SIGNATURE unless the key has signed. Keys of small order prove nothing and are
    refused with it."""
    return [None if good else Fault(reason=Reason.SIGNATURE) for good in verify_envelopes(claims)]
