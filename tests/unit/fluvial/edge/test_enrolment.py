"""Enrolment against a registrar in a thread, which answers the first request that it sees."""

import hashlib
import threading
import time
from collections.abc import Callable

import pytest

from fluvial.edge import EnrolmentRejected, EnrolmentTimeout, Participant, enrolment
from fluvial.identity.keys import SigningKey
from fluvial.identity.vouching import is_vouched, new_token
from fluvial.kafka import Message, Position
from fluvial.wire.records import Decision, EnrolmentRequest, ParticipantStatus, Reason
from tests.unit.fluvial.edge.world import World, wait_until

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def answer_with(world: World):
    threads: list[threading.Thread] = []

    def start(reaction: Callable[[Message, EnrolmentRequest], None]) -> None:
        def serve() -> None:
            wait_until(world.enrolment_requests)
            reaction(*world.enrolment_requests()[-1])

        threads.append(threading.Thread(target=serve))
        threads[0].start()

    yield start
    for thread in threads:
        thread.join()


def test_the_request_signs_the_agreement_and_the_record_comes_back(
    participant: Participant, world: World, key, answer_with
) -> None:
    sha256 = world.publish_agreement()
    answer_with(world.admit)
    record = participant.enrol("token", agreements=["research"])
    assert (record.participant, record.public_key) == ("alice", key.public_key)
    ((_, request),) = world.enrolment_requests()
    assert (request.token, request.participant) == ("token", "alice")
    assert [(signed.agreement, signed.sha256) for signed in request.agreements] == [("research", sha256)]


def test_enrolling_again_asks_nobody(participant: Participant, world: World, answer_with) -> None:
    world.publish_agreement()
    answer_with(world.admit)
    record = participant.enrol("token", agreements=["research"])
    assert participant.enrol("", agreements=["research"]) == record
    assert len(world.enrolment_requests()) == 1


def test_a_further_agreement_is_signed_without_the_token(participant: Participant, world: World, answer_with) -> None:
    answer_with(world.admit)
    participant.enrol("token")
    world.publish_agreement("commercial", "Anything.")
    with pytest.raises(EnrolmentTimeout):
        participant.enrol("token", agreements=["commercial"], timeout=0.3)
    _, request = world.enrolment_requests()[-1]
    assert request.token == ""
    assert [signed.agreement for signed in request.agreements] == ["commercial"]


def test_a_refusal_holds_the_verdict(
    participant: Participant, world: World, answer_with, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enrolment, "_CONTRADICTED_SECONDS", 0.2)

    def refuse(message: Message, request: EnrolmentRequest) -> None:
        at = Position(partition=message.partition, offset=message.offset, timestamp_ms=message.timestamp_ms)
        digest = hashlib.sha256(message.value or b"").digest()
        refusal = Decision.REJECT, Reason.TOKEN_INVALID
        world.judge(world.topics.enrolments, at, "alice", *refusal, record_sha256=digest)

    answer_with(refuse)
    with pytest.raises(EnrolmentRejected, match="TOKEN_INVALID") as caught:
        participant.enrol("wrong")
    assert caught.value.verdict.reason is Reason.TOKEN_INVALID


def test_a_refusal_of_other_bytes_at_its_place_is_no_answer(
    participant: Participant, world: World, answer_with
) -> None:
    def forge(message: Message, request: EnrolmentRequest) -> None:
        at = Position(partition=message.partition, offset=message.offset, timestamp_ms=message.timestamp_ms)
        world.judge(world.topics.enrolments, at, "alice", Decision.REJECT, Reason.TOKEN_INVALID)
        world.admit(message, request)

    answer_with(forge)
    assert participant.enrol("token").participant == "alice"


def test_a_forged_refusal_keeps_nobody_from_what_the_registrar_signs_meanwhile(
    participant: Participant, world: World, answer_with
) -> None:
    def forge(message: Message, request: EnrolmentRequest) -> None:
        at = Position(partition=message.partition, offset=message.offset, timestamp_ms=message.timestamp_ms)
        digest = hashlib.sha256(message.value or b"").digest()
        world.judge(world.topics.enrolments, at, "alice", Decision.REJECT, Reason.TOKEN_INVALID, record_sha256=digest)
        time.sleep(0.5)  # the registrar's commit comes behind whatever is written at once
        world.admit(message, request)

    answer_with(forge)
    assert participant.enrol("token").participant == "alice"


def test_silence_is_a_timeout_that_says_so(participant: Participant) -> None:
    with pytest.raises(EnrolmentTimeout, match="validation job"):
        participant.enrol("token", timeout=0.2)


def test_a_record_that_the_registrar_did_not_sign_is_no_answer(
    participant: Participant, world: World, answer_with
) -> None:
    def forge(message: Message, request: EnrolmentRequest) -> None:
        import tests.unit.fluvial.edge.world as module

        genuine = module.REGISTRAR
        module.REGISTRAR = SigningKey.from_seed(b"x" * 32)
        try:
            world.admit(message, request)
        finally:
            module.REGISTRAR = genuine

    answer_with(forge)
    with pytest.raises(EnrolmentTimeout):
        participant.enrol("token", timeout=0.3)


def test_an_agreement_that_the_operator_did_not_sign_is_not_signed(participant: Participant, world: World) -> None:
    world.publish_agreement(signer=SigningKey.from_seed(b"x" * 32))
    with pytest.raises(ValueError, match="no agreement 'research'"):
        participant.enrol("token", agreements=["research"])
    assert world.enrolment_requests() == []


def test_a_genuine_agreement_under_another_name_does_not_count(
    participant: Participant, world: World, transport
) -> None:
    world.publish_agreement("strict", "Nothing is allowed.")
    (message,) = transport.messages(world.topics.registry)
    world.put(world.topics.registry, "agreement/research", message.value)
    with pytest.raises(ValueError, match="no agreement 'research'"):
        participant.terms("research")


def test_a_name_enrolled_with_another_key_is_taken(
    participant: Participant, world: World, federation, tmp_path, answer_with
) -> None:
    answer_with(world.admit)
    participant.enrol("token")
    other = SigningKey.from_seed(b"z" * 32)
    with (
        Participant(federation, "alice", other, tmp_path / "other", participant.transport) as impostor,
        pytest.raises(ValueError, match="another key"),
    ):
        impostor.enrol("token")


def test_what_was_not_signed_cannot_be_withdrawn(participant: Participant, world: World, answer_with) -> None:
    answer_with(world.admit)
    for signed in ("none", "research"):
        with pytest.raises(ValueError, match=f"alice has not signed study; it has signed: {signed}"):
            participant.withdraw("study")
        if signed == "none":
            world.publish_agreement()
            participant.enrol("token", agreements=["research"])
    assert len(world.enrolment_requests()) == 1


def test_a_revoked_participant_cannot_enrol(participant: Participant, world: World, answer_with) -> None:
    answer_with(lambda message, request: world.admit(message, request, ParticipantStatus.REVOKED))
    participant.enrol("token")
    with pytest.raises(ValueError, match="revoked"):
        participant.enrol("token", agreements=[])


def test_a_token_is_named_by_its_public_half_and_proven(participant: Participant, world: World, answer_with) -> None:
    answer_with(world.admit)
    token = new_token()
    participant.enrol(token)
    ((message, request),) = world.enrolment_requests()
    assert token.removeprefix("key.").encode() not in (message.value or b"")
    assert is_vouched(request.token, request.proof or b"", world.topics.scope, "alice", request.public_key)


def test_the_present_key_vouches_for_the_new_one_which_signs_from_then_on(
    participant: Participant, world: World, key, answer_with
) -> None:
    world.publish_agreement()
    answer_with(world.admit)
    participant.enrol("token", agreements=["research"])
    new_key = SigningKey.generate()
    with pytest.raises(EnrolmentTimeout):
        participant.rotate_key(new_key, timeout=0.3)
    message, request = world.enrolment_requests()[-1]
    assert (request.public_key, request.token) == (new_key.public_key, key.public_key.hex())
    assert is_vouched(request.token, request.proof or b"", world.topics.scope, "alice", new_key.public_key)
    assert [signed.agreement for signed in request.agreements] == ["research"]
    world.admit(message, request, version=1)
    assert participant.rotate_key(new_key).public_key == new_key.public_key
    with pytest.raises(EnrolmentTimeout):
        participant.withdraw("research", timeout=0.3)
    _, withdrawal = world.enrolment_requests()[-1]
    assert (withdrawal.public_key, withdrawal.withdrawn) == (new_key.public_key, ("research",))
