"""Each step of the gate that judges an envelope, and the order of the steps."""

from dataclasses import replace
from typing import Any

import pytest

from fluvial.identity.envelope import open_envelope
from fluvial.wire.framing import encode, version_of
from fluvial.wire.records import (
    Decision,
    ModelUpdate,
    ParticipantStatus,
    Reason,
    RoundStatus,
    Signature,
    SignedAgreement,
    WindowMode,
    WithdrawnAgreement,
)
from fluvial.wire.sampling import invited, round_seed
from governance.admission import gate
from governance.admission.replay import MAX_FAILURES
from tests.unit.governance.admission.builders import (
    NOW_MS,
    OTHER_KEY,
    POLICY,
    TERMS,
    TERMS_SHA256,
    World,
    a_participant,
    a_round,
    a_source,
    a_world,
    an_inline_update,
    an_update,
    inline_round,
    judge,
    references,
    sealed,
    sealed_bytes,
)

GOOD = sealed(an_update())


def refused(judgement: gate.Judgement) -> Reason:
    assert isinstance(judgement, gate.Refused)
    return judgement.verdict.reason


def waits_for(judgement: gate.Judgement) -> Reason:
    assert isinstance(judgement, gate.Parked)
    return judgement.verdict.reason


def reason_of(update: ModelUpdate, world: World | None = None, **judging: Any) -> Reason:
    return refused(judge(sealed(update), world or a_world(), **judging))


def test_a_good_update_needs_only_its_content_judged() -> None:
    judgement = judge(GOOD, a_world())
    assert isinstance(judgement, gate.NeedsEvidence)
    assert judgement.update == an_update()
    assert judgement.round == a_round()
    assert judgement.participant == a_participant()


def test_a_verdict_names_the_source_the_digest_and_the_update() -> None:
    judgement = judge(sealed(an_update(weight=0)), a_world())
    assert isinstance(judgement, gate.Refused)
    verdict = judgement.verdict
    assert (verdict.source_topic, verdict.source_partition, verdict.source_offset) == ("fluvial.updates", 1, 42)
    assert verdict.source_timestamp_ms == NOW_MS
    assert (verdict.participant, verdict.task, verdict.round, verdict.attempt) == ("alice", "demo", 3, 2)
    assert verdict.update_id == "update-1"
    assert (verdict.decision, verdict.reason) == (Decision.REJECT, Reason.WEIGHT)


def test_an_empty_registry_lets_nothing_through() -> None:
    assert refused(judge(GOOD, World())) is Reason.KEY_UNKNOWN


# 1. Size.


def test_a_record_over_the_limit_is_not_parsed() -> None:
    policy = replace(POLICY, max_record_bytes=len(GOOD))
    assert isinstance(judge(GOOD, a_world(), policy=policy), gate.NeedsEvidence)
    assert refused(judge(GOOD + b"\0", a_world(), policy=policy)) is Reason.SIZE_LIMIT


# 2. Framing.


@pytest.mark.parametrize("raw", [b"", b"\xc3\x01", b"garbage" * 20, GOOD[:-1], encode(an_update())])
def test_what_is_no_envelope_is_refused(raw: bytes) -> None:
    assert refused(judge(raw, a_world())) is Reason.ENVELOPE


def test_bytes_after_the_envelope_are_refused() -> None:
    assert refused(judge(GOOD + b"\0", a_world())) is Reason.NON_CANONICAL


def test_a_second_signature_cannot_make_another_record_of_the_same_update() -> None:
    """Whoever reads the topic could add one, and the signer would stand there as an equivocator."""
    envelope = open_envelope(GOOD)
    for extra in (envelope.signatures[0], Signature(keyid="mallory", signature=bytes(64))):
        raw = encode(replace(envelope, signatures=(*envelope.signatures, extra)))
        assert refused(judge(raw, a_world())) is Reason.ENVELOPE


# 3. Identity.


@pytest.mark.parametrize("key", [None, b"", b"bob", b"alice\0", b"\xff"])
def test_a_record_under_another_key_than_the_signers_is_refused(key: bytes | None) -> None:
    assert refused(judge(GOOD, a_world(), source=a_source(key=key))) is Reason.PARTICIPANT_MISMATCH


def test_an_unknown_participant_is_parked_then_refused() -> None:
    world = replace(a_world(), participants={})
    assert waits_for(judge(GOOD, world, final=False)) is Reason.KEY_UNKNOWN
    assert refused(judge(GOOD, world)) is Reason.KEY_UNKNOWN


# 4. Signature.


def test_a_forgery_is_refused_at_once() -> None:
    forged = sealed(an_update(), OTHER_KEY)
    assert refused(judge(forged, a_world(), final=False)) is Reason.SIGNATURE


def test_a_changed_payload_or_media_type_breaks_the_signature() -> None:
    envelope = open_envelope(GOOD)
    for changed in (
        replace(envelope, payload=encode(an_update(weight=11))),
        replace(envelope, payload_type=envelope.payload_type + "x"),
    ):
        assert refused(judge(encode(changed), a_world())) is Reason.SIGNATURE


def test_a_key_of_small_order_proves_nothing() -> None:
    """OpenSSL lets this key and signature verify for any message."""
    small_order = b"\x01" + bytes(31)
    envelope = open_envelope(GOOD)
    signature = Signature(keyid="alice", signature=small_order + bytes(32))
    raw = encode(replace(envelope, signatures=(signature,)))
    assert refused(judge(raw, a_world(participant=a_participant(public_key=small_order)))) is Reason.SIGNATURE


def test_a_revoked_participant_is_refused_and_a_forgery_in_its_name_is_told_as_such() -> None:
    world = a_world(participant=a_participant(status=ParticipantStatus.REVOKED))
    assert refused(judge(GOOD, world)) is Reason.KEY_REVOKED
    assert refused(judge(sealed(an_update(), OTHER_KEY), world)) is Reason.SIGNATURE


# 5. Decode.


def test_a_signed_record_of_another_type_or_version_is_quarantined() -> None:
    newer = sealed_bytes(encode(an_update()), "application/vnd.fluvial.model-update.v2+avro")
    unpinned = sealed_bytes(b"\xc3\x01" + bytes(8))
    for raw in (sealed(a_round()), newer, unpinned, sealed_bytes(encode(a_round()))):
        judgement = judge(raw, a_world())
        assert isinstance(judgement, gate.Refused)
        assert (judgement.verdict.decision, judgement.verdict.reason) == (Decision.QUARANTINE, Reason.SCHEMA_UNKNOWN)


def test_signed_bytes_that_are_cut_or_padded_are_refused() -> None:
    payload = encode(an_update())
    assert refused(judge(sealed_bytes(payload[:-1]), a_world())) is Reason.DECODE
    assert refused(judge(sealed_bytes(b""), a_world())) is Reason.DECODE
    assert refused(judge(sealed_bytes(payload + b"\0"), a_world())) is Reason.NON_CANONICAL


@pytest.mark.parametrize(
    "changes",
    [
        {"task": ""},
        {"task": "a b"},
        {"task": "x" * 129},
        {"update_id": "a\nb"},
        {"update_id": "C:/Users/alice/secret"},
        {"round": 0},
        {"attempt": 0},
        {"base_digest": b""},
        {"layout_digest": bytes(31)},
    ],
)
def test_fields_outside_their_form_are_refused_and_not_quoted(changes: dict[str, Any]) -> None:
    judgement = judge(sealed(an_update(**changes)), a_world())
    assert isinstance(judgement, gate.Refused)
    assert judgement.verdict.reason is Reason.DECODE
    assert (judgement.verdict.task, judgement.verdict.update_id) == ("", "")


def test_a_participant_cannot_sign_in_the_name_of_another() -> None:
    assert reason_of(an_update(participant="bob")) is Reason.PARTICIPANT_MISMATCH


def test_confluent_framing_is_read_where_its_id_is_pinned() -> None:
    payload = b"\0" + (17).to_bytes(4) + encode(an_update())[10:]
    assert refused(judge(sealed_bytes(payload), a_world())) is Reason.DECODE
    pinned = replace(POLICY, schema_ids={17: version_of(encode(an_update()))})
    assert isinstance(judge(sealed_bytes(payload), a_world(), policy=pinned), gate.NeedsEvidence)


# 6. Replay.


def test_the_same_bytes_are_a_duplicate_even_when_their_round_is_over() -> None:
    world = a_world()
    world.remember(GOOD, an_update())
    for round_ in (a_round(), a_round(attempt=3), a_round(round=9), a_round(status=RoundStatus.FINISHED)):
        world.rounds["demo"] = round_
        judgement = judge(GOOD, world, final=False)
        assert isinstance(judgement, gate.Refused)
        verdict = judgement.verdict
        assert (verdict.decision, verdict.reason) == (Decision.DUPLICATE, Reason.DUPLICATE_IGNORED)


def test_another_update_for_the_same_attempt_is_an_equivocation_whenever_it_comes() -> None:
    world = a_world()
    world.remember(GOOD, an_update())
    for round_ in (a_round(), a_round(round=9)):
        world.rounds["demo"] = round_
        assert reason_of(an_update(weight=11), world) is Reason.EQUIVOCATION


def test_a_reopened_round_takes_a_new_update() -> None:
    world = a_world()
    world.remember(GOOD, an_update())
    world.rounds["demo"] = a_round(attempt=3)
    assert isinstance(judge(sealed(an_update(a_round(attempt=3))), world), gate.NeedsEvidence)


def test_after_a_few_failures_for_a_round_no_more_is_taken_for_it() -> None:
    world = a_world()
    for failures, taken in ((0, True), (MAX_FAILURES - 1, True), (MAX_FAILURES, False), (MAX_FAILURES + 9, False)):
        world.failures["demo", 3] = failures
        judgement = judge(GOOD, world)
        assert isinstance(judgement, gate.NeedsEvidence) if taken else refused(judgement) is Reason.TOO_MANY_FAILURES
    world.remember(GOOD, an_update())
    assert refused(judge(GOOD, world)) is Reason.DUPLICATE_IGNORED


# 7. Freshness.


def test_an_unknown_task_is_parked_then_refused() -> None:
    raw = sealed(an_update(task="other"))
    assert waits_for(judge(raw, a_world(), final=False)) is Reason.TASK_UNKNOWN
    assert refused(judge(raw, a_world())) is Reason.TASK_UNKNOWN


@pytest.mark.parametrize("newer", [{"round": 4, "attempt": 1}, {"attempt": 3}, {"round": 1 << 40}])
def test_a_round_not_yet_heard_of_is_parked_then_refused(newer: dict[str, Any]) -> None:
    raw = sealed(an_update(**newer))
    assert waits_for(judge(raw, a_world(), final=False)) is Reason.ROUND_UNKNOWN
    assert refused(judge(raw, a_world())) is Reason.ROUND_UNKNOWN


def test_a_task_without_a_round_parks_its_updates() -> None:
    assert waits_for(judge(GOOD, replace(a_world(), rounds={}), final=False)) is Reason.ROUND_UNKNOWN


@pytest.mark.parametrize("older", [{"round": 2}, {"attempt": 1}, {"round": 2, "attempt": 9}])
def test_a_round_or_attempt_gone_by_is_stale(older: dict[str, Any]) -> None:
    assert reason_of(an_update(**older), final=False) is Reason.STALE_ROUND


def test_a_finished_task_takes_no_update() -> None:
    assert reason_of(an_update(), a_world(a_round(status=RoundStatus.FINISHED))) is Reason.STALE_ROUND


def test_a_paused_task_takes_no_update_of_rounds_gone_by_and_waits_for_the_one_to_come() -> None:
    paused = a_world(a_round(status=RoundStatus.PAUSED))
    assert waits_for(judge(GOOD, paused, final=False)) is Reason.ROUND_UNKNOWN
    assert reason_of(an_update(attempt=1), paused) is Reason.STALE_ROUND
    assert reason_of(an_update(), a_world(a_round(attempt=3, status=RoundStatus.PAUSED))) is Reason.STALE_ROUND


@pytest.mark.parametrize("base", [{"base_version": 1}, {"base_digest": bytes(32)}])
def test_another_base_model_is_refused(base: dict[str, Any]) -> None:
    assert reason_of(an_update(**base)) is Reason.WRONG_BASE


def test_a_record_after_the_deadline_is_not_refused_here() -> None:
    assert a_round().deadline_ms < NOW_MS
    assert isinstance(judge(GOOD, a_world()), gate.NeedsEvidence)


def an_asynchronous_world(**changes: Any) -> World:
    """Round 3, attempt 2 is open and takes updates of round 2, whose last attempt was 4."""
    changes = {"window": WindowMode.BUFFERED, "max_staleness": 1, **changes}
    world = a_world(a_round(**changes))
    world.earlier["demo", 2] = a_round(**changes, round=2, attempt=4, base_version=1, base_digest=bytes([6]) * 32)
    return world


EARLIER = {"round": 2, "attempt": 3, "base_version": 1, "base_digest": bytes([6]) * 32}


@pytest.mark.parametrize("mode", [WindowMode.BUFFERED, WindowMode.TUMBLING])
@pytest.mark.parametrize("place", [{}, {"attempt": 1}, EARLIER, {**EARLIER, "attempt": 4}])
def test_an_asynchronous_round_takes_updates_of_any_attempt_it_may_lag_behind(
    mode: WindowMode, place: dict[str, Any]
) -> None:
    judgement = judge(sealed(an_update(**place)), an_asynchronous_world(window=mode))
    assert isinstance(judgement, gate.NeedsEvidence)
    assert judgement.round.round == 3
    assert judgement.update.round == place.get("round", 3)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({**EARLIER, "attempt": 5}, Reason.STALE_ROUND),
        ({**EARLIER, "round": 1}, Reason.STALE_ROUND),
        ({"round": 2, "attempt": 1}, Reason.WRONG_BASE),
        ({**EARLIER, "round": 3, "attempt": 2}, Reason.WRONG_BASE),
        ({"attempt": 3}, Reason.ROUND_UNKNOWN),
    ],
)
def test_an_update_that_lags_behind_must_fit_its_own_round(changes: dict[str, Any], reason: Reason) -> None:
    assert reason_of(an_update(**changes), an_asynchronous_world()) is reason


def test_an_earlier_round_that_is_not_remembered_is_stale() -> None:
    world = replace(an_asynchronous_world(), earlier={})
    assert reason_of(an_update(**EARLIER), world, final=False) is Reason.STALE_ROUND


def test_an_asynchronous_round_has_one_update_of_a_participant_whatever_the_attempt() -> None:
    world = an_asynchronous_world()
    world.remember(sealed(an_update(**EARLIER)), an_update(**EARLIER))
    assert reason_of(an_update(**{**EARLIER, "attempt": 4}), world) is Reason.EQUIVOCATION
    assert isinstance(judge(sealed(an_update()), world), gate.NeedsEvidence)


# 8. Invitation.


def test_who_is_not_invited_is_refused() -> None:
    """The seeds of zeros and of ones put alice at 0.68 and at 0.61."""
    for seed, fraction, taken in ((0, 0.65, False), (1, 0.65, True), (0, 0.7, True), (1, 0.6, False), (1, 1.0, True)):
        world = a_world(a_round(seed=bytes([seed]) * 32, invited_fraction=fraction))
        judgement = judge(GOOD, world, final=False)
        assert isinstance(judgement, gate.NeedsEvidence) if taken else refused(judgement) is Reason.NOT_INVITED


def test_an_update_for_an_earlier_attempt_needs_the_invitation_of_that_attempt() -> None:
    world = an_asynchronous_world(invited_fraction=0.5)
    found = {
        attempt: isinstance(judge(sealed(an_update(**{**EARLIER, "attempt": attempt})), world), gate.NeedsEvidence)
        for attempt in (1, 2, 3)
    }
    base_digest = EARLIER["base_digest"]
    assert found == {a: invited("alice", round_seed("demo", 2, a, base_digest), 0.5) for a in (1, 2, 3)}
    assert len(set(found.values())) == 2


# 9. Agreement.


def test_a_round_without_an_agreement_asks_for_none() -> None:
    world = a_world(a_round(agreement=""), a_participant(agreements=()))
    assert isinstance(judge(GOOD, world), gate.NeedsEvidence)


@pytest.mark.parametrize(
    "signed", [(), (("other", TERMS_SHA256),), (("terms", bytes(32)),)], ids=["none", "another", "another text"]
)
def test_an_agreement_not_signed_in_its_text_parks_then_refuses(signed: tuple[tuple[str, bytes], ...]) -> None:
    agreements = tuple(SignedAgreement(agreement=name, sha256=digest) for name, digest in signed)
    world = a_world(participant=a_participant(agreements=agreements))
    assert waits_for(judge(GOOD, world, final=False)) is Reason.AGREEMENT
    assert refused(judge(GOOD, world)) is Reason.AGREEMENT


def test_an_agreement_that_the_registry_lacks_parks_then_refuses() -> None:
    world = replace(a_world(), agreements={})
    assert waits_for(judge(GOOD, world, final=False)) is Reason.AGREEMENT
    assert refused(judge(GOOD, world)) is Reason.AGREEMENT


def test_an_agreement_holds_from_its_first_to_before_its_last_millisecond() -> None:
    allowed = (TERMS.valid_from_ms, TERMS.valid_until_ms - 1)
    refusals = (TERMS.valid_from_ms - 1, TERMS.valid_until_ms)
    for at_ms in allowed:
        assert isinstance(judge(GOOD, a_world(), source=a_source(timestamp_ms=at_ms)), gate.NeedsEvidence)
    for at_ms in refusals:
        assert refused(judge(GOOD, a_world(), source=a_source(timestamp_ms=at_ms), final=False)) is Reason.AGREEMENT


WITHDRAWN = WithdrawnAgreement(agreement="terms", sha256=TERMS_SHA256, withdrawn_ms=4_000)


def test_a_withdrawal_takes_effect_with_the_next_round() -> None:
    """A round that was opened before takes the update, whenever it comes; every later one refuses, and says why."""
    alice = a_participant(agreements=(), withdrawn=(WITHDRAWN,))
    world = a_world(a_round(opened_ms=3_999), alice)
    assert isinstance(judge(GOOD, world, source=a_source(timestamp_ms=8_999)), gate.NeedsEvidence)
    for opened_ms in (4_000, 4_001):
        world.rounds["demo"] = a_round(opened_ms=opened_ms)
        assert waits_for(judge(GOOD, world, final=False)) is Reason.AGREEMENT_WITHDRAWN
        assert refused(judge(GOOD, world)) is Reason.AGREEMENT_WITHDRAWN
    world.participants["alice"] = a_participant(withdrawn=())
    assert isinstance(judge(GOOD, world), gate.NeedsEvidence)


def test_the_round_that_takes_an_update_says_whether_a_withdrawal_counts() -> None:
    """An asynchronous round takes updates of rounds before it: what was withdrawn when it was opened is not taken."""
    window: dict[str, Any] = {"window": WindowMode.BUFFERED, "max_staleness": 2}
    earlier = a_round(round=2, opened_ms=3_000, **window)
    world = a_world(a_round(opened_ms=5_000, **window), a_participant(agreements=(), withdrawn=(WITHDRAWN,)))
    world.earlier["demo", 2] = earlier
    raw = sealed(an_update(round=2, attempt=earlier.attempt))
    assert refused(judge(raw, world)) is Reason.AGREEMENT_WITHDRAWN


# 10. Manifest: see test_manifest for the rest.


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"layout_digest": bytes(32)}, Reason.MANIFEST_MISMATCH),
        ({"chunks": ()}, Reason.MANIFEST_MISMATCH),
        ({"weight": 0}, Reason.WEIGHT),
        ({"encoding": "float64"}, Reason.ENCODING),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(changes: dict[str, Any], reason: Reason) -> None:
    assert reason_of(an_update(**changes)) is reason


def test_an_inline_delta_may_not_be_larger_than_the_policy_allows() -> None:
    raw, world = sealed(an_inline_update()), a_world(inline_round())
    assert isinstance(judge(raw, world, policy=replace(POLICY, max_inline_bytes=36)), gate.NeedsEvidence)
    assert refused(judge(raw, world, policy=replace(POLICY, max_inline_bytes=35))) is Reason.SIZE_LIMIT


# The order, and what is claimed.


def test_the_first_failing_step_gives_the_reason() -> None:
    """One record with every fault; each repair uncovers the next."""
    world = World(rounds={"demo": a_round()})
    faulty = an_update(base_version=9, weight=0)
    raw = sealed(faulty, OTHER_KEY)
    assert refused(judge(raw, world, policy=replace(POLICY, max_record_bytes=1))) is Reason.SIZE_LIMIT
    assert refused(judge(raw, world, source=a_source(key=b"bob"))) is Reason.PARTICIPANT_MISMATCH
    assert refused(judge(raw, world)) is Reason.KEY_UNKNOWN
    world.participants["alice"] = a_participant(agreements=())
    assert refused(judge(raw, world)) is Reason.SIGNATURE
    raw = sealed(faulty)
    world.seen["demo", 3, 2] = bytes(32)
    assert refused(judge(raw, world)) is Reason.EQUIVOCATION
    world.seen.clear()
    assert refused(judge(raw, world)) is Reason.TASK_UNKNOWN
    world.tasks = a_world().tasks
    assert refused(judge(raw, world)) is Reason.WRONG_BASE
    raw = sealed(an_update(weight=0))
    assert refused(judge(raw, world)) is Reason.AGREEMENT
    world.participants["alice"], world.agreements = a_participant(), a_world().agreements
    assert refused(judge(raw, world)) is Reason.WEIGHT


@pytest.mark.parametrize(
    ("key", "claimed"), [(b"alice", "alice"), (None, ""), (b"\xff", ""), (b"a b", ""), (b"x" * 129, "")]
)
def test_a_claim_that_is_no_name_is_not_quoted(key: bytes | None, claimed: str) -> None:
    judgement = judge(b"", a_world(), source=a_source(key=key))
    assert isinstance(judgement, gate.Refused)
    assert judgement.verdict.participant == claimed


def test_two_offsets_in_one_partition_are_not_one_chunk_twice() -> None:
    chunks = list(references([b"x" * 16, b"x" * 16, b"x" * 4]))
    assert reason_of(an_update(chunks=(chunks[0], chunks[0], chunks[2]))) is Reason.MANIFEST_MISMATCH


@pytest.mark.parametrize(
    "limits",
    [
        {"max_record_bytes": 0},
        {"partitions": 0},
        {"max_inline_bytes": 0},
        {"quarantined": frozenset({Reason.ACCEPTED})},
        {"quarantined": frozenset({Reason.DUPLICATE_IGNORED})},
    ],
)
def test_a_policy_that_makes_no_sense_is_the_callers_mistake(limits: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"at least 1|quarantined"):
        replace(POLICY, **limits)


def test_the_policy_may_hold_more_reasons_for_a_person() -> None:
    policy = replace(POLICY, quarantined=frozenset({Reason.WEIGHT}))
    judgement = judge(sealed(an_update(weight=0)), a_world(), policy=policy)
    assert isinstance(judgement, gate.Refused)
    assert judgement.verdict.decision is Decision.QUARANTINE
