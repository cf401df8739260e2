"""The mirror of registry and rounds: only what its signer may sign gets in."""

import hashlib
from dataclasses import replace

import pytest

from fluvial.identity.envelope import open_envelope, seal
from fluvial.identity.keys import SigningKey
from fluvial.wire.errors import FluvialError
from fluvial.wire.records import (
    Agreement,
    DeviceProfile,
    EnrolmentToken,
    Participant,
    ParticipantStatus,
    RoundStatus,
    WindowMode,
)
from pipelines.validation.trusted_records import TrustedRecords
from tests.unit.pipelines.aggregation.builders import a_round
from tests.unit.pipelines.promotion.builders import a_variant

KEYS = {name: SigningKey.from_seed(bytes([number]) * 32) for number, name in enumerate(("operator", "registrar"), 1)}
AGGREGATOR = SigningKey.from_seed(bytes([3]) * 32)
DEVICE = DeviceProfile(platform="", machine="", memory_bytes=0, accelerator="", network="")


def participant(status: ParticipantStatus = ParticipantStatus.ACTIVE, seed: int = 9) -> Participant:
    return Participant(
        participant="clinic",
        public_key=SigningKey.from_seed(bytes([seed]) * 32).public_key,
        status=status,
        agreements=(),
        device=DEVICE,
        enrolled_ms=1,
        request_sha256=bytes(32),
    )


@pytest.fixture
def trusted() -> TrustedRecords:
    return TrustedRecords(
        operator_key=KEYS["operator"].public_key,
        registrar_key=KEYS["registrar"].public_key,
        aggregator_key=AGGREGATOR.public_key,
    )


def enter(trusted: TrustedRecords, record: Participant, signer: str) -> bool:
    return trusted.apply_registry("participant/clinic", seal(record, KEYS[signer], signer))


def test_records_answer_the_gates_questions(trusted: TrustedRecords) -> None:
    enter(trusted, participant(), "registrar")
    terms = Agreement(agreement="terms", text="Be good.", valid_from_ms=0, valid_until_ms=9)
    sealed = seal(terms, KEYS["operator"], "operator")
    trusted.apply_registry("agreement/terms", sealed)
    token = EnrolmentToken(token_sha256=bytes(32), participant="clinic", expires_ms=5)
    trusted.apply_registry(f"token/{bytes(32).hex()}", seal(token, KEYS["operator"], "operator"))
    trusted.apply_round(seal(a_round(), AGGREGATOR, "aggregator"))
    assert trusted.participant("clinic") == participant()
    assert trusted.agreement("terms") == terms
    assert trusted.agreement_sha("terms") == hashlib.sha256(open_envelope(sealed).payload).digest()
    assert trusted.token(bytes(32)) == token
    assert trusted.current("demo") == a_round()
    for nothing in (trusted.participant("x"), trusted.agreement("x"), trusted.agreement_sha("x"), trusted.task("x")):
        assert nothing is None


def test_what_others_signed_does_not_enter(trusted: TrustedRecords) -> None:
    with pytest.raises(FluvialError):
        trusted.apply_registry("participant/clinic", seal(participant(), AGGREGATOR, "operator"))
    with pytest.raises(FluvialError):
        trusted.apply_round(seal(a_round(), KEYS["operator"], "aggregator"))
    assert trusted.participant("clinic") is None
    assert trusted.current("demo") is None


def test_a_revoked_key_stays_revoked(trusted: TrustedRecords) -> None:
    enter(trusted, participant(), "registrar")
    enter(trusted, participant(ParticipantStatus.REVOKED), "operator")
    assert not enter(trusted, participant(), "registrar")
    known = trusted.participant("clinic")
    assert known is not None
    assert known.status is ParticipantStatus.REVOKED
    assert enter(trusted, replace(participant(seed=10), version=1), "registrar")


def test_the_rounds_that_updates_may_lag_behind_are_remembered_and_no_others(trusted: TrustedRecords) -> None:
    changes = {"window": WindowMode.BUFFERED, "max_staleness": 2}
    for number in range(1, 8):
        for attempt in (1, 2):
            record = a_round(round=number, attempt=attempt, base_digest=bytes([number]) * 32, **changes)
            assert trusted.apply_round(seal(record, AGGREGATOR, "aggregator"))
    newest = trusted.current("demo")
    assert newest is not None
    assert (newest.round, newest.attempt) == (7, 2)
    for number in (5, 6, 7):
        opened = trusted.opened("demo", number)
        assert opened is not None
        assert (opened.round, opened.attempt, opened.base_digest) == (number, 2, bytes([number]) * 32)
    assert trusted.opened("demo", 4) is trusted.opened("demo", 8) is trusted.opened("x", 7) is None


def test_a_job_without_state_knows_the_newest_round_alone(trusted: TrustedRecords) -> None:
    raw = seal(a_round(round=7, window=WindowMode.BUFFERED, max_staleness=2), AGGREGATOR, "aggregator")
    trusted.apply_round(raw)
    assert trusted.opened("demo", 6) is None
    assert trusted.opened("demo", 7) is not None


def test_a_copy_of_a_former_round_changes_nothing(trusted: TrustedRecords) -> None:
    """It took the gate back: honest updates were for an unknown round, and after a copy of an end all were stale."""
    ended = a_round(round=3, status=RoundStatus.FINISHED)
    history = [a_round(), a_round(attempt=2), a_round(round=2), a_round(round=3), ended, a_round(round=4)]
    raws = [seal(record, AGGREGATOR, "aggregator") for record in history]
    for raw in raws:
        assert trusted.apply_round(raw)
    before = trusted.num_changes
    for raw in raws:
        assert not trusted.apply_round(raw)
    assert trusted.current("demo") == history[-1]
    assert trusted.num_changes == before


def test_a_variant_that_could_not_be_built_has_no_artefact_that_anybody_could_measure(trusted: TrustedRecords) -> None:
    built, failed = a_variant(), a_variant("onnx", failure="does not fit")
    for variant in (built, failed):
        assert trusted.apply_variant(seal(variant, AGGREGATOR, "aggregator"))
    assert trusted.artefact("credit", 8, "int8") == built.artefact_sha256
    assert trusted.artefact("credit", 8, "onnx") == b""
