"""Who enters the registry, with which key, under which agreements."""

from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from fluvial.admission.judgement import Parked, Refused, Source
from fluvial.admission.request import MAX_ENROLMENT_BYTES, MOST_AHEAD_MS
from fluvial.identity.envelope import open_envelope, seal
from fluvial.identity.keys import SigningKey
from fluvial.identity.vouching import new_token, public_form, token_key, vouch
from fluvial.registry.records import spent
from fluvial.wire.framing import encode
from fluvial.wire.records import (
    Agreement,
    Decision,
    EnrolmentRequest,
    EnrolmentToken,
    Participant,
    ParticipantStatus,
    Reason,
    Signature,
    SignedAgreement,
    WithdrawnAgreement,
)
from governance.registry.enrolment import (
    MAX_AGREEMENTS,
    Enrolled,
    EnrolmentJudgement,
    claim_token,
    judge_enrolment,
)
from governance.registry.token_claims import TokenClaims
from tests.unit.governance.admission.builders import (
    DEVICE,
    KEY,
    NOW_MS,
    OTHER_KEY,
    TERMS,
    TERMS_SHA256,
    World,
    a_participant,
    a_source,
    sealed,
    sealed_bytes,
)

TOKEN = "one-time"
TOKEN_SHA256 = sha256(TOKEN.encode()).digest()
A_TOKEN = EnrolmentToken(token_sha256=TOKEN_SHA256, participant="alice", expires_ms=NOW_MS)
SIGNED_TERMS = SignedAgreement(agreement="terms", sha256=TERMS_SHA256)
RULES = Agreement(agreement="rules", text="Be better.", valid_from_ms=0, valid_until_ms=9_000)
SIGNED_RULES = SignedAgreement(agreement="rules", sha256=sha256(encode(RULES)).digest())


def a_registry(**changes: Any) -> World:
    agreements = {"terms": (TERMS, TERMS_SHA256), "rules": (RULES, SIGNED_RULES.sha256)}
    return replace(World(agreements=agreements, tokens={TOKEN_SHA256: A_TOKEN}), **changes)


def a_request(**changes: Any) -> EnrolmentRequest:
    values: dict[str, Any] = {
        "participant": "alice",
        "public_key": KEY.public_key,
        "token": TOKEN,
        "agreements": (SIGNED_TERMS,),
        "device": DEVICE,
        "requested_ms": 4_000,
    }
    return EnrolmentRequest(**{**values, **changes})


def waits_for(judgement: EnrolmentJudgement) -> Reason:
    assert isinstance(judgement, Parked)
    return judgement.verdict.reason


def judge(
    raw: bytes,
    world: World,
    *,
    source: Source | None = None,
    final: bool = True,
    claims: TokenClaims | None = None,
) -> EnrolmentJudgement:
    before = world.snapshot()
    source = source or a_source(topic="fluvial.enrolments")
    judgement = judge_enrolment(raw, source, registry=world, claims=claims or TokenClaims())
    if final and isinstance(judgement, Parked):
        judgement = Refused(verdict=judgement.verdict)
    assert world == before
    return judgement


def reason_of(request: EnrolmentRequest, world: World | None = None, key: SigningKey = KEY, **judging: Any) -> Reason:
    judgement = judge(sealed(request, key), world or a_registry(), **judging)
    assert isinstance(judgement, Refused)
    return judgement.verdict.reason


def enrolled(request: EnrolmentRequest, world: World | None = None, key: SigningKey = KEY) -> Enrolled:
    judgement = judge(sealed(request, key), world or a_registry())
    assert isinstance(judgement, Enrolled)
    assert judgement.verdict.decision is Decision.ACCEPT
    return judgement


def participant_of(judgement: Enrolled) -> Participant:
    participant = judgement.records[0]
    assert isinstance(participant, Participant)
    return participant


def test_a_token_a_key_and_signed_agreements_make_a_participant() -> None:
    raw = sealed(a_request())
    judgement = judge(raw, a_registry())
    assert isinstance(judgement, Enrolled)
    digest = sha256(raw).digest()
    assert judgement.records == (
        a_participant(enrolled_ms=NOW_MS, request_sha256=digest, requested_ms=4_000),
        spent(A_TOKEN),
    )
    verdict = judgement.verdict
    assert (verdict.decision, verdict.reason) == (Decision.ACCEPT, Reason.ACCEPTED)
    assert (verdict.source_topic, verdict.participant, verdict.task) == ("fluvial.enrolments", "alice", "")
    assert verdict.record_sha256 == digest


def test_an_empty_registry_lets_nobody_in() -> None:
    assert reason_of(a_request(agreements=()), World()) is Reason.TOKEN_INVALID


# 1 and 2. Size and framing.


def test_a_large_request_is_not_parsed() -> None:
    judgement = judge(bytes(MAX_ENROLMENT_BYTES + 1), a_registry())
    assert isinstance(judgement, Refused)
    assert judgement.verdict.reason is Reason.SIZE_LIMIT


def test_a_request_is_one_canonical_envelope_under_its_participants_key() -> None:
    raw = sealed(a_request())
    envelope = open_envelope(raw)
    two = encode(replace(envelope, signatures=(*envelope.signatures, Signature(keyid="x", signature=bytes(64)))))
    for damaged, reason in ((b"", Reason.ENVELOPE), (two, Reason.ENVELOPE), (raw + b"\0", Reason.NON_CANONICAL)):
        judgement = judge(damaged, a_registry())
        assert isinstance(judgement, Refused)
        assert judgement.verdict.reason is reason
    for key in (None, b"bob"):
        assert reason_of(a_request(), source=a_source(key=key)) is Reason.PARTICIPANT_MISMATCH


# 3. Decode.


def test_another_record_is_quarantined_and_a_cut_one_refused() -> None:
    judgement = judge(sealed(TERMS), a_registry())
    assert isinstance(judgement, Refused)
    assert (judgement.verdict.decision, judgement.verdict.reason) == (Decision.QUARANTINE, Reason.SCHEMA_UNKNOWN)
    media_type = "application/vnd.fluvial.enrolment-request.v1+avro"
    cut = judge(sealed_bytes(encode(a_request())[:-1], media_type), a_registry())
    assert isinstance(cut, Refused)
    assert cut.verdict.reason is Reason.DECODE


@pytest.mark.parametrize(
    "changes",
    [
        {"token": "x" * 257},
        {"agreements": (SignedAgreement(agreement="a b", sha256=bytes(32)),)},
        {"device": replace(DEVICE, accelerator="x" * 129)},
        {"device": replace(DEVICE, platform="a\nb")},
        {"device": replace(DEVICE, memory_bytes=-1)},
    ],
)
def test_fields_outside_their_form_are_refused(changes: dict[str, Any]) -> None:
    assert reason_of(a_request(**changes)) is Reason.DECODE


def test_a_request_names_its_signer() -> None:
    assert reason_of(a_request(participant="bob")) is Reason.PARTICIPANT_MISMATCH


# 4. Possession of the key.


def test_a_key_that_did_not_sign_is_not_enrolled() -> None:
    assert reason_of(a_request(), key=OTHER_KEY) is Reason.SIGNATURE


@pytest.mark.parametrize("key", [b"\x01" + bytes(31), bytes(32), b"\xff" * 32, b"", bytes(31)])
def test_keys_of_small_order_and_other_forms_are_refused(key: bytes) -> None:
    assert reason_of(a_request(public_key=key)) is Reason.SIGNATURE


# 5. Repeat.


@pytest.mark.parametrize("token", [A_TOKEN, spent(A_TOKEN), replace(A_TOKEN, participant="bob"), None])
def test_the_request_that_made_the_record_is_a_duplicate_and_its_token_is_spent(token: EnrolmentToken | None) -> None:
    """A registry of former times does not say of a token that it is spent: it was there for all who had read it."""
    raw = sealed(a_request())
    known = a_participant(request_sha256=sha256(raw).digest())
    tokens = {TOKEN_SHA256: token} if token else {}
    judgement = judge(raw, a_registry(participants={"alice": known}, tokens=tokens))
    assert isinstance(judgement, Enrolled)
    assert judgement.verdict.decision is Decision.DUPLICATE
    assert judgement.records == ((spent(A_TOKEN),) if token == A_TOKEN else ())


# 6. Right to the name.


@pytest.mark.parametrize("token", ["", "another"])
def test_a_missing_or_unknown_token_parks_then_refuses(token: str) -> None:
    request = a_request(token=token)
    assert waits_for(judge(sealed(request), a_registry(), final=False)) is Reason.TOKEN_INVALID
    assert reason_of(request) is Reason.TOKEN_INVALID


def test_a_spent_token_is_refused_at_once() -> None:
    world = a_registry(tokens={TOKEN_SHA256: spent(A_TOKEN)})
    assert reason_of(a_request(), world, final=False) is Reason.TOKEN_INVALID


def test_a_token_that_was_shown_is_its_first_keys_also_when_that_request_is_refused() -> None:
    """The text of the agreement has changed: alice is refused, and whoever has read her request knows her token."""
    claims = TokenClaims()
    newer = a_registry(agreements={"terms": (replace(TERMS, text="Be better."), bytes(32))})
    refused = judge(sealed(a_request()), newer, claims=claims)
    assert isinstance(refused, Refused)
    assert refused.verdict.reason is Reason.AGREEMENT
    thief = a_request(public_key=OTHER_KEY.public_key)
    assert reason_of(thief, key=OTHER_KEY, claims=claims, final=False) is Reason.TOKEN_INVALID
    assert isinstance(judge(sealed(a_request()), a_registry(), claims=claims), Enrolled)


def test_whose_a_token_is_is_found_again_in_the_requests_that_were_judged() -> None:
    shown, claims, source = sealed(a_request()), TokenClaims(), a_source(topic="fluvial.enrolments")
    thief = a_request(public_key=OTHER_KEY.public_key)
    for raw in (b"junk", sealed(a_request(token="none"), OTHER_KEY), shown, sealed(thief, OTHER_KEY)):
        claim_token(raw, source, registry=a_registry(), claims=claims)
    assert reason_of(thief, key=OTHER_KEY, claims=claims) is Reason.TOKEN_INVALID
    assert isinstance(judge(shown, a_registry(), claims=claims), Enrolled)


def test_a_forged_request_shows_no_token() -> None:
    claims = TokenClaims()
    forged = seal(a_request(public_key=OTHER_KEY.public_key), KEY, "alice")
    assert reason_of(a_request(public_key=OTHER_KEY.public_key), claims=claims) is Reason.SIGNATURE
    claim_token(forged, a_source(), registry=a_registry(), claims=claims)
    assert isinstance(judge(sealed(a_request()), a_registry(), claims=claims), Enrolled)


def test_a_token_is_for_one_participant_alone() -> None:
    judgement = judge(
        sealed(a_request(participant="bob"), keyid="bob"), a_registry(), source=a_source(key=b"bob"), final=False
    )
    assert isinstance(judgement, Refused)
    assert judgement.verdict.reason is Reason.TOKEN_INVALID


def test_a_token_holds_up_to_its_last_millisecond_by_broker_time() -> None:
    late = a_source(timestamp_ms=NOW_MS + 1)
    assert enrolled(a_request()).records[1:] == (spent(A_TOKEN),)
    assert reason_of(a_request(), source=late, final=False) is Reason.TOKEN_INVALID


def test_an_enrolled_participant_signs_a_further_agreement_without_a_token() -> None:
    world = a_registry(participants={"alice": a_participant(enrolled_ms=1)}, tokens={})
    result = enrolled(a_request(token="", agreements=(SIGNED_RULES,)), world)
    assert participant_of(result).agreements == (SIGNED_RULES, SIGNED_TERMS)
    assert (participant_of(result).enrolled_ms, participant_of(result).version) == (1, 1)
    assert len(result.records) == 1


def test_asking_again_with_the_same_key_and_a_used_token_is_safe() -> None:
    world = a_registry(participants={"alice": a_participant()}, tokens={TOKEN_SHA256: spent(A_TOKEN)})
    assert len(enrolled(a_request(), world).records) == 1


def test_a_newer_text_of_an_agreement_takes_the_place_of_the_older() -> None:
    old = SignedAgreement(agreement="terms", sha256=bytes(32))
    world = a_registry(participants={"alice": a_participant(agreements=(old,))})
    assert participant_of(enrolled(a_request(), world)).agreements == (SIGNED_TERMS,)


def test_a_new_key_for_a_name_needs_a_new_token_and_starts_without_agreements() -> None:
    request = a_request(public_key=OTHER_KEY.public_key, agreements=(SIGNED_RULES,))
    known = {"alice": a_participant()}
    result = enrolled(request, a_registry(participants=known), OTHER_KEY)
    participant = participant_of(result)
    assert participant.public_key == OTHER_KEY.public_key
    assert participant.agreements == (SIGNED_RULES,)
    assert (participant.enrolled_ms, participant.version) == (NOW_MS, 1)
    assert result.records[1:] == (spent(A_TOKEN),)
    without = replace(request, token="")
    assert reason_of(without, a_registry(participants=known), OTHER_KEY) is Reason.TOKEN_INVALID


def test_a_revoked_key_does_not_come_back_but_its_owner_may_with_another() -> None:
    revoked = {"alice": a_participant(status=ParticipantStatus.REVOKED)}
    assert reason_of(a_request(), a_registry(participants=revoked)) is Reason.KEY_REVOKED
    request = a_request(public_key=OTHER_KEY.public_key)
    again = participant_of(enrolled(request, a_registry(participants=revoked), OTHER_KEY))
    assert (again.status, again.version) == (ParticipantStatus.ACTIVE, 1)


# 7. Agreements.


def test_an_agreement_unknown_or_of_another_text_parks_then_refuses() -> None:
    for signed in (
        SignedAgreement(agreement="unknown", sha256=bytes(32)),
        SignedAgreement(agreement="terms", sha256=bytes(32)),
    ):
        request = a_request(agreements=(signed,))
        assert waits_for(judge(sealed(request), a_registry(), final=False)) is Reason.AGREEMENT
        assert reason_of(request) is Reason.AGREEMENT


@pytest.mark.parametrize("period", [(NOW_MS + 1, NOW_MS + 2), (0, NOW_MS)])
def test_an_agreement_that_is_not_in_force_is_refused_at_once(period: tuple[int, int]) -> None:
    terms = replace(TERMS, valid_from_ms=period[0], valid_until_ms=period[1])
    world = a_registry(agreements={"terms": (terms, TERMS_SHA256)})
    assert reason_of(a_request(), world, final=False) is Reason.AGREEMENT


def test_an_agreement_signed_twice_or_too_many_of_them_are_refused() -> None:
    assert reason_of(a_request(agreements=(SIGNED_TERMS, SIGNED_TERMS))) is Reason.AGREEMENT
    many = tuple(SignedAgreement(agreement=f"a{n}", sha256=TERMS_SHA256) for n in range(MAX_AGREEMENTS + 1))
    world = a_registry(agreements={one.agreement: (TERMS, TERMS_SHA256) for one in many})
    assert len(participant_of(enrolled(a_request(agreements=many[1:]), world)).agreements) == MAX_AGREEMENTS
    assert reason_of(a_request(agreements=many), world) is Reason.AGREEMENT


def test_nobody_has_to_sign_an_agreement_to_enrol() -> None:
    assert participant_of(enrolled(a_request(agreements=()))).agreements == ()


# Tokens that are proven without being shown, and keys that follow one another.

SCOPE = "0123456789abcdef" * 2
SECRET = new_token()
SECRET_KEY = token_key(SECRET)
PROVEN_TOKEN = EnrolmentToken(
    token_sha256=sha256(public_form(SECRET).encode()).digest(), participant="alice", expires_ms=NOW_MS
)


def judge_in(
    world: World, request: EnrolmentRequest, key: SigningKey, claims: TokenClaims | None = None
) -> EnrolmentJudgement:
    source = a_source(topic="fluvial.enrolments", key=request.participant.encode())
    raw = seal(request, key, request.participant, SCOPE)
    return judge_enrolment(raw, source, registry=world, claims=claims or TokenClaims(), scope=SCOPE)


def a_proven_request(key: SigningKey = KEY, by: SigningKey | None = SECRET_KEY, **changes: Any) -> EnrolmentRequest:
    assert by is not None
    proof = vouch(by, SCOPE, "alice", key.public_key)
    values = {"public_key": key.public_key, "token": by.public_key.hex(), "proof": proof, **changes}
    return a_request(**values)


def a_proving_registry(**changes: Any) -> World:
    return a_registry(tokens={PROVEN_TOKEN.token_sha256: PROVEN_TOKEN}, **changes)


def test_a_token_is_proven_and_nothing_that_is_sent_tells_it() -> None:
    request = a_proven_request()
    assert SECRET.removeprefix("key.") not in encode(request).decode("latin1")
    judgement = judge_in(a_proving_registry(), request, KEY)
    assert isinstance(judgement, Enrolled)
    assert judgement.records[1] == spent(PROVEN_TOKEN)


@pytest.mark.parametrize(
    "changes",
    [
        {"proof": None},
        {"proof": b""},
        {"proof": vouch(KEY, SCOPE, "alice", OTHER_KEY.public_key)},
        {"proof": vouch(SECRET_KEY or KEY, SCOPE, "alice", KEY.public_key)},
        {"proof": vouch(SECRET_KEY or KEY, SCOPE, "bob", OTHER_KEY.public_key)},
        {"proof": vouch(SECRET_KEY or KEY, "another federation", "alice", OTHER_KEY.public_key)},
        {"token": SECRET, "proof": None},
    ],
)
def test_whoever_reads_a_request_enrols_nobody_with_it(changes: dict[str, Any]) -> None:
    """With a job that has forgotten everything, too: before or after its owner, the token lets in no other key. And a
    request that proves nothing does not take the token from its owner."""
    claims = TokenClaims()
    stolen = a_proven_request(OTHER_KEY, **changes)
    assert not isinstance(judge_in(a_proving_registry(), stolen, OTHER_KEY, claims), Enrolled)
    assert isinstance(judge_in(a_proving_registry(), a_proven_request(), KEY, claims), Enrolled)


def test_a_key_vouches_for_the_one_that_follows_it() -> None:
    world = a_registry(participants={"alice": a_participant(version=3)}, tokens={})
    judgement = judge_in(world, a_proven_request(OTHER_KEY, KEY), OTHER_KEY)
    assert isinstance(judgement, Enrolled)
    (record,) = judgement.records
    assert isinstance(record, Participant)
    assert (record.public_key, record.version) == (OTHER_KEY.public_key, 4)
    assert record.agreements == (SIGNED_TERMS,)


@pytest.mark.parametrize(
    "known",
    [
        a_participant(status=ParticipantStatus.REVOKED),
        a_participant(public_key=SigningKey.from_seed(bytes([5]) * 32).public_key),
    ],
)
def test_a_revoked_or_former_key_vouches_for_nobody(known: Participant) -> None:
    world = a_registry(participants={"alice": known}, tokens={})
    judgement = judge_in(world, a_proven_request(OTHER_KEY, KEY), OTHER_KEY)
    assert not isinstance(judgement, Enrolled)
    assert judgement.verdict.reason is Reason.TOKEN_INVALID


def test_who_names_the_present_key_must_prove_it() -> None:
    world = a_registry(participants={"alice": a_participant()}, tokens={})
    request = a_proven_request(OTHER_KEY, KEY, proof=vouch(OTHER_KEY, SCOPE, "alice", OTHER_KEY.public_key))
    assert not isinstance(judge_in(world, request, OTHER_KEY), Enrolled)


def test_a_participant_withdraws_an_agreement() -> None:
    world = a_registry(participants={"alice": a_participant(agreements=(SIGNED_RULES, SIGNED_TERMS))})
    judgement = judge_in(world, a_request(token="", agreements=(), withdrawn=("terms", "unknown")), KEY)
    assert isinstance(judgement, Enrolled)
    (record,) = judgement.records
    assert isinstance(record, Participant)
    assert record.agreements == (SIGNED_RULES,)
    assert record.withdrawn == (WithdrawnAgreement(agreement="terms", sha256=TERMS_SHA256, withdrawn_ms=NOW_MS),)
    again = judge_in(replace(world, participants={"alice": record}), a_request(token="", requested_ms=4_001), KEY)
    assert isinstance(again, Enrolled)
    assert participant_of(again).agreements == (SIGNED_RULES, SIGNED_TERMS)
    assert participant_of(again).withdrawn == ()


def test_a_copy_of_a_former_request_does_not_sign_again_what_was_withdrawn() -> None:
    """Anybody can read a request of the topic and send it once more; it is signed, and it was accepted once."""
    first = a_request()
    enrolled_ = enrolled(first)
    world = a_registry(participants={"alice": participant_of(enrolled_)}, tokens={})
    withdrawal = judge(sealed(a_request(token="", agreements=(), withdrawn=("terms",), requested_ms=4_001)), world)
    assert isinstance(withdrawal, Enrolled)
    world.participants["alice"] = participant_of(withdrawal)
    assert reason_of(first, world) is Reason.REQUEST_OUTDATED
    # Nor does a copy of the withdrawal withdraw what was signed since.
    again = enrolled(a_request(token="", requested_ms=4_002), world)
    world.participants["alice"] = participant_of(again)
    outdated = a_request(token="", agreements=(), withdrawn=("terms",), requested_ms=4_001)
    assert reason_of(outdated, world) is Reason.REQUEST_OUTDATED


@pytest.mark.parametrize("requested_ms", [NOW_MS + MOST_AHEAD_MS + 1, (1 << 63) - 1])
def test_a_request_dated_far_ahead_of_the_broker_is_refused_because_none_could_follow_it(requested_ms: int) -> None:
    world = a_registry()
    assert reason_of(a_request(requested_ms=requested_ms), world) is Reason.OUT_OF_RANGE
    known = enrolled(a_request(requested_ms=NOW_MS + MOST_AHEAD_MS), world)
    world.participants["alice"] = participant_of(known)
    following = a_request(token="", requested_ms=participant_of(known).requested_ms + 1)
    source = a_source(topic="fluvial.enrolments", timestamp_ms=NOW_MS + 1)
    assert isinstance(judge(sealed(following), world, source=source), Enrolled)


def test_another_withdrawal_does_not_move_the_first() -> None:
    world = a_registry(participants={"alice": a_participant(agreements=(SIGNED_RULES, SIGNED_TERMS))})
    for at_ms, name in ((5_000, "terms"), (6_000, "rules"), (7_000, "terms")):
        request = a_request(token="", agreements=(), withdrawn=(name,), requested_ms=at_ms)
        source = a_source(topic="fluvial.enrolments", timestamp_ms=at_ms)
        judgement = judge(sealed(request), world, source=source)
        assert isinstance(judgement, Enrolled)
        world.participants["alice"] = participant_of(judgement)
    gone = {one.agreement: one.withdrawn_ms for one in world.participants["alice"].withdrawn}
    assert gone == {"terms": 5_000, "rules": 6_000}


def test_nobody_withdraws_for_another_nor_signs_and_withdraws_at_once() -> None:
    world = a_registry(participants={"alice": a_participant()})
    forged = a_request(public_key=OTHER_KEY.public_key, token="", agreements=(), withdrawn=("terms",))
    assert not isinstance(judge_in(world, forged, OTHER_KEY), Enrolled)
    both = judge_in(world, a_request(token="", withdrawn=("terms",)), KEY)
    assert not isinstance(both, Enrolled)
    assert both.verdict.reason is Reason.DECODE
