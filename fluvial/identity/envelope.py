"""Signed envelopes: DSSE (secure-systems-lab/dsse v1.0.2) with Ed25519, carried as an Avro record.

The signature covers the raw payload bytes and is checked before they are decoded; whoever decodes, decodes the very
bytes that were verified.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, TypeVar

from fluvial.identity.keys import SigningKey, verify
from fluvial.wire.errors import Malformed, OtherFederation, SignatureInvalid
from fluvial.wire.framing import HEADER_BYTES, MAX_RECORD_BYTES, decode, encode
from fluvial.wire.media_types import is_of_kind, media_type
from fluvial.wire.records import Envelope, ModelManifest, Round, Signature

T = TypeVar("T")

MAX_SIGNATURES = 16
MAX_SIGNATURES_BYTES = 8192

_MAX_THREADS = 4
_SHARE = 8
"""Signatures that are worth waking a thread for."""


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """What is signed: "DSSEv1" SP length SP type SP length SP payload; lengths are ASCII decimals of byte counts."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def seal(record: Any, key: SigningKey, keyid: str, scope: str = "") -> bytes:
    """The signed envelope of a record, as it goes on a topic. scope: `Topics.scope` of its federation."""
    payload, payload_type = encode(record), media_type(type(record), scope)
    signature = Signature(keyid=keyid, signature=key.sign(pre_authentication_encoding(payload_type, payload)))
    return encode(Envelope(payload_type=payload_type, payload=payload, signatures=(signature,)))


def open_envelope(data: bytes, *, max_bytes: int = MAX_RECORD_BYTES) -> Envelope:
    """The envelope, nothing of it verified. Raises DecodeError."""
    if MAX_SIGNATURES_BYTES < len(data) <= max_bytes and _bytes_after_payload(data) > MAX_SIGNATURES_BYTES:
        # Two bytes are an empty signature, and hundreds in memory: nobody vouches for these bytes yet.
        raise Malformed(f"an envelope with more than {MAX_SIGNATURES_BYTES} bytes of signatures")
    envelope = decode(data, Envelope, max_bytes=max_bytes)
    if not 1 <= len(envelope.signatures) <= MAX_SIGNATURES:
        raise Malformed(f"an envelope with {len(envelope.signatures)} signatures")
    return envelope


def _bytes_after_payload(data: bytes) -> int:
    """Bytes of the envelope that are not its payload or its payload's type, read from their lengths alone."""
    position = HEADER_BYTES
    for _ in range(2):
        zigzag = shift = 0
        for byte in data[position : position + 10]:
            zigzag |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        position += shift // 7 + (zigzag >> 1)
    return len(data) - position


def verify_envelope(envelope: Envelope, public_key: bytes) -> bool:
    """Whether one of the signatures is this key's. The keyid is a hint that plays no part."""
    message = pre_authentication_encoding(envelope.payload_type, envelope.payload)
    return any(verify(public_key, signature.signature, message) for signature in envelope.signatures)


def verify_envelopes(signed: Sequence[tuple[Envelope, bytes]]) -> list[bool]:
    """Of each envelope and public key whether one of its signatures is that key's.

    libsodium gives the interpreter lock back while it verifies, so threads share what is much.
    """
    num_shares = min(_num_cores(), _MAX_THREADS, len(signed) // _SHARE)
    if num_shares < 2:
        return _verify_each(signed)
    size = -(-len(signed) // num_shares)
    mine, *others = (signed[start : start + size] for start in range(0, len(signed), size))
    verified = [_threads().submit(_verify_each, share) for share in others]
    results = _verify_each(mine)
    for future in verified:
        results += future.result()
    return results


def _verify_each(signed: Sequence[tuple[Envelope, bytes]]) -> list[bool]:
    return [verify_envelope(envelope, public_key) for envelope, public_key in signed]


@cache
def _num_cores() -> int:
    """Asked once: the question takes a third of what it takes to check a signature."""
    return os.cpu_count() or 1


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_MAX_THREADS, thread_name_prefix="verify")


def check_kind(envelope: Envelope, expected: type[Any], scope: str = "") -> None:
    """Raises Malformed for an envelope of another record, OtherFederation for one that was signed elsewhere."""
    if envelope.payload_type == media_type(expected, scope):
        return
    if is_of_kind(envelope.payload_type, expected):
        raise OtherFederation(f"a {expected.__name__} that was not signed for this federation")
    raise Malformed(f"an envelope of {envelope.payload_type}, not of a {expected.__name__}")


def unseal(data: bytes, expected: type[T], public_key: bytes, scope: str = "") -> T:
    """Verify, then decode; of a round or a manifest its terms too. scope: of the federation in which it is read. Raises
    DecodeError or SignatureInvalid."""
    envelope = open_envelope(data)
    check_kind(envelope, expected, scope)
    if not verify_envelope(envelope, public_key):
        raise SignatureInvalid(f"the {expected.__name__} is not signed by the expected key")
    record = decode(envelope.payload, expected)
    if isinstance(record, Round | ModelManifest) and record.terms:
        from fluvial.wire.terms import terms_of  # late: most records have none, and pydantic reads them

        terms_of(record)
    return record
