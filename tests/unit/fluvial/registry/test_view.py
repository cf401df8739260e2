"""The registry in force: only forward, whatever copies come back."""

from dataclasses import replace
from hashlib import sha256

import pytest

from fluvial.identity.envelope import seal
from fluvial.identity.keys import SigningKey
from fluvial.registry.order import next_version, revocation_version
from fluvial.registry.records import RegistryRecord, is_spent, registry_key, spent
from fluvial.registry.view import VerifiedRegistry
from fluvial.wire.errors import FluvialError
from fluvial.wire.framing import encode
from fluvial.wire.records import EnrolmentToken, Participant, ParticipantStatus
from tests.unit.governance.admission.builders import KEY, OTHER_KEY, TERMS, a_participant, a_task

OPERATOR = SigningKey.from_seed(bytes([11]) * 32)
REGISTRAR = SigningKey.from_seed(bytes([12]) * 32)

FIRST = a_participant()
REVOKED = a_participant(status=ParticipantStatus.REVOKED, version=1)
SECOND = a_participant(public_key=OTHER_KEY.public_key, enrolled_ms=2_000, version=2)
TOKEN = EnrolmentToken(token_sha256=sha256(b"t").digest(), participant="alice", expires_ms=9_000)


@pytest.fixture
def registry() -> VerifiedRegistry:
    return VerifiedRegistry(OPERATOR.public_key, REGISTRAR.public_key)


def apply(registry: VerifiedRegistry, record: RegistryRecord, signer: SigningKey = OPERATOR) -> bool:
    return registry.apply(registry_key(record), seal(record, signer, "test"))


@pytest.mark.parametrize("unnumbered", [False, True])
def test_a_copy_of_a_revoked_participant_never_brings_its_key_back(
    registry: VerifiedRegistry, unnumbered: bool
) -> None:
    """The owner has enrolled again with another key; the copy of the first record was accepted as the newest."""
    history = [FIRST, REVOKED, SECOND]
    if unnumbered:
        history = [replace(record, version=0) for record in history]
    for record in history:
        assert apply(registry, record)
    for record in (*history, *history[:2]):
        assert not apply(registry, record)
    assert registry.participant("alice") == history[-1]
    assert registry.is_revoked("alice", KEY.public_key)
    assert not registry.is_revoked("alice", OTHER_KEY.public_key)
    assert not registry.is_revoked("bob", KEY.public_key)


@pytest.mark.parametrize("hurry", [1, 3])
@pytest.mark.parametrize("told_first", ["revocation", "rotation"])
def test_a_key_that_takes_a_revoked_ones_place_at_that_moment_is_revoked_with_it(
    registry: VerifiedRegistry, told_first: str, hurry: int
) -> None:
    """Operator and registrar have read the same record. Whoever has stolen a key could evade each revocation so."""
    apply(registry, FIRST)
    revocation = replace(FIRST, status=ParticipantStatus.REVOKED, version=revocation_version(FIRST))
    rotations = [
        a_participant(public_key=OTHER_KEY.public_key, enrolled_ms=2_000 + number, version=number)
        for number in range(1, hurry + 1)
    ]
    every = [revocation, *rotations] if told_first == "revocation" else [*rotations, revocation]
    for record in every:
        apply(registry, record, OPERATOR if record is revocation else REGISTRAR)
    assert registry.participant("alice") == revocation
    assert registry.in_force(registry_key(FIRST)) == seal(revocation, OPERATOR, "test")
    assert not apply(registry, rotations[-1], REGISTRAR)
    again = a_participant(public_key=OTHER_KEY.public_key, enrolled_ms=9_000, version=next_version(revocation))
    assert apply(registry, again, REGISTRAR), "with a token the operator lets in whom it wants"


@pytest.mark.parametrize("revocation_is_first", [True, False])
def test_of_one_version_the_revocation_counts(registry: VerifiedRegistry, revocation_is_first: bool) -> None:
    """Former releases counted a revocation up by one, as whatever else was signed at that moment."""
    rotation = a_participant(public_key=OTHER_KEY.public_key, enrolled_ms=2_000, version=1)
    for record in (FIRST, *((REVOKED, rotation) if revocation_is_first else (rotation, REVOKED))):
        apply(registry, record)
    assert registry.participant("alice") == REVOKED


def test_a_participant_of_the_last_version_there_is_can_be_revoked(registry: VerifiedRegistry) -> None:
    last = replace(FIRST, version=(1 << 63) - 1)
    revocation = replace(last, status=ParticipantStatus.REVOKED, version=revocation_version(last))
    for record in (last, revocation):
        assert apply(registry, record)
    assert registry.participant("alice") == revocation


def test_a_revoked_key_cannot_be_enrolled_again_however_new_its_record_is(registry: VerifiedRegistry) -> None:
    for record in (FIRST, REVOKED):
        apply(registry, record)
    assert not apply(registry, replace(FIRST, version=9))
    assert registry.participant("alice") == REVOKED
    apply(registry, SECOND)
    assert not apply(registry, replace(FIRST, version=9))
    assert registry.participant("alice") == SECOND


def test_a_revocation_holds_in_whichever_order_records_are_read(registry: VerifiedRegistry) -> None:
    apply(registry, SECOND)
    assert apply(registry, REVOKED)
    assert registry.participant("alice") == SECOND
    assert not apply(registry, replace(FIRST, version=3))
    revoked_too = replace(SECOND, status=ParticipantStatus.REVOKED, version=0)
    assert apply(registry, revoked_too)
    assert registry.participant("alice") == revoked_too
    assert not apply(registry, SECOND)


def test_an_older_text_of_an_agreement_does_not_come_back(registry: VerifiedRegistry) -> None:
    newer = replace(TERMS, text="Be better.", version=1)
    for record in (TERMS, newer):
        assert apply(registry, record)
    assert not apply(registry, TERMS)
    assert registry.agreement("terms") == newer
    assert registry.agreement_sha("terms") == sha256(encode(newer)).digest()


def test_older_terms_of_a_task_do_not_come_back(registry: VerifiedRegistry) -> None:
    history = [a_task(created_ms=1), a_task(created_ms=2), a_task(created_ms=1, version=1), a_task(version=2)]
    for number, record in enumerate(history):
        assert apply(registry, record)
        for older in history[: number + 1]:
            assert not apply(registry, older)
    assert registry.tasks() == [history[-1]]


def test_a_spent_token_stays_spent_and_the_registrar_may_say_so(registry: VerifiedRegistry) -> None:
    assert apply(registry, TOKEN)
    with pytest.raises(FluvialError):
        apply(registry, replace(TOKEN, version=1), REGISTRAR)
    assert apply(registry, spent(TOKEN), REGISTRAR)
    assert not apply(registry, TOKEN)
    known = registry.token(TOKEN.token_sha256)
    assert known is not None
    assert is_spent(known)
    assert not is_spent(TOKEN)


def test_what_is_not_genuine_changes_nothing(registry: VerifiedRegistry) -> None:
    apply(registry, FIRST)
    before = registry.num_changes
    for record, signer in ((REVOKED, REGISTRAR), (SECOND, KEY), (TERMS, REGISTRAR)):
        with pytest.raises(FluvialError):
            apply(registry, record, signer)
    assert (registry.num_changes, registry.participant("alice")) == (before, FIRST)


def test_versions_are_counted_up() -> None:
    assert [next_version(record) for record in (None, FIRST, SECOND)] == [0, 1, 3]


def test_changes_are_counted(registry: VerifiedRegistry) -> None:
    counts = []
    bob: Participant = a_participant(participant="bob")
    for record in (FIRST, FIRST, REVOKED, FIRST, bob):
        apply(registry, record)
        counts.append(registry.num_changes)
    assert counts == [1, 1, 2, 2, 3]
    assert registry.participants() == [REVOKED, bob]


def test_in_force_is_what_was_signed_last_and_never_the_revocation_of_a_key_that_another_followed(
    registry: VerifiedRegistry,
) -> None:
    key, raws = registry_key(FIRST), [seal(record, OPERATOR, "test") for record in (FIRST, SECOND, REVOKED)]
    assert registry.in_force(key) is None
    for raw in raws[:2]:
        registry.apply(key, raw)
        assert registry.in_force(key) == raw
    registry.apply(key, raws[2])
    assert registry.is_revoked("alice", KEY.public_key)
    assert registry.in_force(key) == raws[1]
