"""Opening a record of the topic registry: nothing of it is believed unless who may sign it has signed it.

| key | record | signed by |
|---|---|---|
| task/<task> | Task | operator |
| agreement/<agreement> | Agreement | operator |
| token/<SHA-256, hexadecimal> | EnrolmentToken | operator |
| token/<SHA-256, hexadecimal> | EnrolmentToken, spent | registrar or operator |
| participant/<participant> | Participant, ACTIVE | registrar or operator |
| participant/<participant> | Participant, REVOKED | operator |

The registrar's key lies where enrolments are judged, on the cluster; the operator's need not. So the registrar can let
participants in and say that a token is spent, but neither revoke a participant, nor change what they sign or work on.
Which of several records under one key is in force, `fluvial.registry.view` knows.
"""

from __future__ import annotations

from dataclasses import replace

from fluvial.identity.envelope import check_kind, open_envelope, verify_envelope
from fluvial.identity.keys import is_acceptable
from fluvial.wire.errors import SignatureInvalid, VerificationError
from fluvial.wire.framing import decode
from fluvial.wire.names import is_name
from fluvial.wire.records import Agreement, EnrolmentToken, Participant, ParticipantStatus, Task

RegistryRecord = Task | Agreement | EnrolmentToken | Participant

_DIGEST_BYTES = 32
_RECORDS: dict[str, type[RegistryRecord]] = {
    "task": Task,
    "agreement": Agreement,
    "token": EnrolmentToken,
    "participant": Participant,
}


def registry_key(record: RegistryRecord) -> str:
    """The Kafka key under which a record stands in the registry."""
    match record:
        case Task():
            return f"task/{record.task}"
        case Agreement():
            return f"agreement/{record.agreement}"
        case EnrolmentToken():
            return f"token/{record.token_sha256.hex()}"
        case Participant():
            return f"participant/{record.participant}"


def open_registry_record(
    key: str, raw: bytes, operator_key: bytes, registrar_key: bytes, scope: str = ""
) -> RegistryRecord:
    """The verified record that stands under `key`. scope: of the federation whose registry it is.

    1. The key's kind tells the record's type, and the envelope's media type agrees. 2. The signature over the raw bytes
    is the operator's or the registrar's. 3. The bytes decode strictly. 4. The signer may sign this record. 5. The
    record belongs under this key. 6. Its fields are well formed.

    Raises DecodeError, SignatureInvalid or VerificationError.
    """
    # 1. Type.
    expected = _RECORDS.get(key.partition("/")[0])
    if expected is None:
        raise VerificationError("the key is of no kind that the registry holds")
    envelope = open_envelope(raw)
    check_kind(envelope, expected, scope)
    # 2. Signature.
    by_operator = verify_envelope(envelope, operator_key)
    if not by_operator and not verify_envelope(envelope, registrar_key):
        raise SignatureInvalid(f"the {expected.__name__} is signed by neither the operator nor the registrar")
    # 3. Decode.
    record = decode(envelope.payload, expected)
    # 4. Authority.
    if not by_operator and not _registrar_may_sign(record):
        raise VerificationError(f"the registrar may not sign this {expected.__name__}")
    # 5. Place.
    if registry_key(record) != key:
        raise VerificationError(f"the {expected.__name__} does not belong under its key")
    # 6. Form.
    if not _is_well_formed(record):
        raise VerificationError(f"the {expected.__name__} has a field that is not well formed")
    return record


def is_spent(token: EnrolmentToken) -> bool:
    """Whether the token enrols nobody any more. The record under its key says so; its time is none."""
    return token.expires_ms == 0


def spent(token: EnrolmentToken) -> EnrolmentToken:
    """The record that takes the token's place when it is spent."""
    return replace(token, expires_ms=0, version=token.version + 1)


def _registrar_may_sign(record: RegistryRecord) -> bool:
    match record:
        case Participant():
            return record.status is ParticipantStatus.ACTIVE
        case EnrolmentToken():
            return is_spent(record)
        case _:
            return False


def _is_well_formed(record: RegistryRecord) -> bool:
    match record:
        case Task():
            return is_name(record.task) and len(record.base_digest) == _DIGEST_BYTES
        case Agreement():
            return is_name(record.agreement)
        case EnrolmentToken():
            return is_name(record.participant) and len(record.token_sha256) == _DIGEST_BYTES
        case Participant():
            return is_name(record.participant) and is_acceptable(record.public_key)
