"""Registry records, verified: each is what its key says, signed by who may sign it.

| key | record | may be signed by |
|---|---|---|
| task/<task> | Task | operator |
| agreement/<agreement> | Agreement | operator |
| token/<SHA-256 of the token, hex> | EnrolmentToken | operator |
| participant/<participant> | Participant | registrar, if ACTIVE; operator |
"""

from __future__ import annotations

from fluvial.identity.envelope import open_envelope, verify_envelope
from fluvial.wire.errors import Malformed, SignatureInvalid
from fluvial.wire.framing import decode
from fluvial.wire.media_types import media_type
from fluvial.wire.records import Agreement, EnrolmentToken, Participant, ParticipantStatus, Task

RegistryRecord = Task | Agreement | EnrolmentToken | Participant

_KINDS: dict[str, type[RegistryRecord]] = {
    "task": Task,
    "agreement": Agreement,
    "token": EnrolmentToken,
    "participant": Participant,
}


def registry_key(record: RegistryRecord) -> str:
    """The key under which the record stands."""
    match record:
        case Task():
            return f"task/{record.task}"
        case Agreement():
            return f"agreement/{record.agreement}"
        case EnrolmentToken():
            return f"token/{record.token_sha256.hex()}"
        case Participant():
            return f"participant/{record.participant}"


def open_registry_record(key: str, raw: bytes, operator_key: bytes, registrar_key: bytes) -> RegistryRecord:
    """The record of a key. Raises DecodeError or SignatureInvalid when it is not what stands there by right."""
    kind = _KINDS.get(key.partition("/")[0])
    if kind is None:
        raise Malformed(f"registry key {key!r} is of no known kind")
    envelope = open_envelope(raw)
    if envelope.payload_type != media_type(kind):
        raise Malformed(f"{envelope.payload_type} under registry key {key!r}")
    by_operator = verify_envelope(envelope, operator_key)
    if not by_operator and not (kind is Participant and verify_envelope(envelope, registrar_key)):
        raise SignatureInvalid(f"{key} is not signed by who may sign it")
    record = decode(envelope.payload, kind)
    if registry_key(record) != key:
        raise Malformed(f"the record of {registry_key(record)} under registry key {key!r}")
    revokes = isinstance(record, Participant) and record.status is not ParticipantStatus.ACTIVE
    if revokes and not by_operator:
        raise SignatureInvalid(f"{key} is revoked, but not by the operator")
    return record
