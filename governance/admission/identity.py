"""Envelope and identity: who signed this? Claims select the key; only the signature says that the claim is true."""

from __future__ import annotations

from fluvial.identity.envelope import open_envelope, verify_envelope
from fluvial.wire.errors import DecodeError
from fluvial.wire.media_types import media_type
from fluvial.wire.records import Envelope, Participant, ParticipantStatus, Reason

MAX_NAME_BYTES = 128


def open_claim(raw: bytes, payload: type, key: bytes | None) -> tuple[Envelope, str] | None:
    """The envelope and the participant that it claims to be of, or None if it is no such envelope.

    The record's key must be the claim: records are judged beside the state of the participant they are keyed by, so
    under another key a replay would meet the wrong memory.
    """
    try:
        envelope = open_envelope(raw)
    except DecodeError:
        return None
    if envelope.payload_type != media_type(payload) or len(envelope.signatures) != 1:
        return None
    claimed = envelope.signatures[0].keyid
    encoded = claimed.encode()
    if not 0 < len(encoded) <= MAX_NAME_BYTES or key != encoded:
        return None
    return envelope, claimed


def check_signer(envelope: Envelope, participant: Participant) -> Reason | None:
    """Reason to refuse, or None when an active participant signed."""
    if participant.status is not ParticipantStatus.ACTIVE:
        return Reason.KEY_REVOKED
    if not verify_envelope(envelope, participant.public_key):
        return Reason.SIGNATURE
    return None
