"""Step 2: envelope framing.

An envelope that contributes has exactly one signature. DSSE allows more, but the keyid and the number of signatures are
not signed: if a second one were tolerated, anybody could add it to somebody else's envelope and so make a second record
with the same content, which would pass for the signer's equivocation. With one signature, a canonical encoding and
Ed25519's strict form, nobody but the signer can make other bytes of the same update.

Decoding is unauthenticated here, so the declared lengths are compared with the record's size first: what follows the
payload must be about the length of one signature, which leaves no room for a list that takes memory.
"""

from __future__ import annotations

from fluvial.identity.envelope import open_envelope
from fluvial.wire.errors import DecodeError, NonCanonical
from fluvial.wire.framing import HEADER_BYTES
from fluvial.wire.records import Envelope, Reason
from governance.admission.judgement import Fault
from governance.admission.names import MAX_NAME_CHARACTERS

MAX_TYPE_BYTES = 128
"""Longest media type."""

_SIGNATURE_BYTES = 64
_MAX_TAIL_BYTES = 1 + 2 + MAX_NAME_CHARACTERS + 2 + _SIGNATURE_BYTES + 1 + 64
"""One block of one signature, its end, and room for a little more, so that a nearly right envelope is told as such."""

_MAX_VARINT_BYTES = 5


def open_one_signature(raw: bytes) -> Envelope | Fault:
    """The envelope, nothing of it verified; ENVELOPE or NON_CANONICAL when it is none."""
    if not _has_small_frame(raw):
        return Fault(reason=Reason.ENVELOPE)
    try:
        envelope = open_envelope(raw)
    except NonCanonical:
        return Fault(reason=Reason.NON_CANONICAL)
    except DecodeError:
        return Fault(reason=Reason.ENVELOPE)
    return envelope if len(envelope.signatures) == 1 else Fault(reason=Reason.ENVELOPE)


def _has_small_frame(raw: bytes) -> bool:
    """Whether all but the payload is small: header ‖ length, media type ‖ length, payload ‖ signatures."""
    length, position = _length_at(raw, HEADER_BYTES)
    if not 0 <= length <= MAX_TYPE_BYTES:
        return False
    length, position = _length_at(raw, position + length)
    return length >= 0 and 0 <= len(raw) - position - length <= _MAX_TAIL_BYTES


def _length_at(raw: bytes, position: int) -> tuple[int, int]:
    """(length, position after it) of an Avro length: a zigzag varint. A length of -1 where there is none."""
    value = 0
    for index, byte in enumerate(raw[position : position + _MAX_VARINT_BYTES]):
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), position + index + 1
    return -1, position
