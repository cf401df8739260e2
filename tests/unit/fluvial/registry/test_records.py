"""Which registry records are believed."""

from dataclasses import replace
from hashlib import sha256

import pytest

from fluvial.identity.envelope import open_envelope, seal
from fluvial.identity.keys import SigningKey
from fluvial.registry.records import RegistryRecord, open_registry_record, registry_key, spent
from fluvial.wire.errors import DecodeError, FluvialError, Malformed, SignatureInvalid, VerificationError
from fluvial.wire.framing import encode
from fluvial.wire.records import EnrolmentToken, ParticipantStatus
from tests.unit.governance.admission.builders import TERMS, a_participant, a_round, a_task

OPERATOR = SigningKey.from_seed(bytes([11]) * 32)
REGISTRAR = SigningKey.from_seed(bytes([12]) * 32)
STRANGER = SigningKey.from_seed(bytes([13]) * 32)

TOKEN = EnrolmentToken(token_sha256=sha256(b"t").digest(), participant="alice", expires_ms=9_000)
ACTIVE = a_participant()
REVOKED = a_participant(status=ParticipantStatus.REVOKED)
SPENT = spent(TOKEN)
KEYED: list[tuple[str, RegistryRecord]] = [
    ("task/demo", a_task()),
    ("agreement/terms", TERMS),
    (f"token/{sha256(b't').hexdigest()}", TOKEN),
    (f"token/{sha256(b't').hexdigest()}", SPENT),
    ("participant/alice", ACTIVE),
    ("participant/alice", REVOKED),
]


def opened(key: str, raw: bytes) -> RegistryRecord:
    return open_registry_record(key, raw, OPERATOR.public_key, REGISTRAR.public_key)


@pytest.mark.parametrize(("key", "record"), KEYED)
def test_the_operator_signs_every_record(key: str, record: RegistryRecord) -> None:
    assert registry_key(record) == key
    assert opened(key, seal(record, OPERATOR, "operator")) == record


@pytest.mark.parametrize(("key", "record"), KEYED)
def test_the_registrar_signs_active_participants_and_spent_tokens_alone(key: str, record: RegistryRecord) -> None:
    raw = seal(record, REGISTRAR, "registrar")
    if record in (ACTIVE, SPENT):
        assert opened(key, raw) == record
    else:
        with pytest.raises(VerificationError, match="registrar may not"):
            opened(key, raw)


@pytest.mark.parametrize(("key", "record"), KEYED)
def test_a_strangers_record_is_not_believed_whatever_its_keyid_says(key: str, record: RegistryRecord) -> None:
    for keyid in ("operator", "registrar", "stranger"):
        with pytest.raises(SignatureInvalid):
            opened(key, seal(record, STRANGER, keyid))


@pytest.mark.parametrize(
    "key", ["participant/bob", "participant/", "participant/alice/x", "task/alice", "alice", "", "/"]
)
def test_a_record_under_another_key_is_not_believed(key: str) -> None:
    with pytest.raises((DecodeError, VerificationError)):
        opened(key, seal(ACTIVE, OPERATOR, "operator"))


def test_a_record_that_the_registry_does_not_hold_is_not_believed() -> None:
    with pytest.raises(Malformed):
        opened("task/demo", seal(a_round(), OPERATOR, "operator"))


@pytest.mark.parametrize(
    ("key", "record"),
    [
        ("participant/alice", replace(ACTIVE, public_key=b"\x01" + bytes(31))),
        ("participant/a b", replace(ACTIVE, participant="a b")),
        ("agreement/a b", replace(TERMS, agreement="a b")),
        ("task/", replace(a_task(), task="")),
        ("task/demo", replace(a_task(), base_digest=b"")),
        ("token/00", replace(TOKEN, token_sha256=b"\0")),
    ],
)
def test_a_record_with_a_field_outside_its_form_is_not_believed(key: str, record: RegistryRecord) -> None:
    with pytest.raises(VerificationError, match="well formed"):
        opened(key, seal(record, OPERATOR, "operator"))


def test_bytes_that_are_no_envelope_raise_a_decode_error() -> None:
    for raw in (b"", b"\xc3\x01", encode(ACTIVE)):
        with pytest.raises(DecodeError):
            opened("participant/alice", raw)


def test_a_flipped_bit_anywhere_is_noticed() -> None:
    raw = seal(ACTIVE, OPERATOR, "operator")
    keyid = raw.index(open_envelope(raw).signatures[0].keyid.encode())
    unsigned = range(keyid, keyid + len("operator"))
    for position in range(len(raw)):
        changed = bytearray(raw)
        changed[position] ^= 1
        if position in unsigned:  # a hint, which plays no part
            assert opened("participant/alice", bytes(changed)) == ACTIVE
        else:
            with pytest.raises(FluvialError):
                opened("participant/alice", bytes(changed))
