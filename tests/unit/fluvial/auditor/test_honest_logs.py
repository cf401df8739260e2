"""What honest stages write, with everything that a federation has, raises no alarm; nor does what strangers write."""

from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from fluvial.auditor.key_lives import HEARD_MS
from fluvial.auditor.patience import MAX_PENDING_MS
from fluvial.auditor.reader import TopicRecord
from fluvial.auditor.report import Report
from fluvial.auditor.verify import verify
from fluvial.identity.envelope import open_envelope, pre_authentication_encoding, seal
from fluvial.identity.keys import SigningKey
from fluvial.registry.order import REVOCATION_STEP
from fluvial.wire.framing import decode, encode
from fluvial.wire.records import (
    Decision,
    Envelope,
    ModelUpdate,
    Outcome,
    ParticipantStatus,
    Promotion,
    PromotionDecision,
    Reason,
    RoundStatus,
    RoundTransition,
    SequencedEvent,
    Signature,
    Variant,
    Verdict,
)
from governance.audit import sequencer
from tests.unit.fluvial.auditor.forgeries import reported, request_of
from tests.unit.fluvial.auditor.tamperings import repeat_event
from tests.unit.fluvial.auditor.world import TASK, World, a_participant, a_round, an_update, digest_of, honest_world


@pytest.mark.parametrize(("remembered", "is_verified"), [(7, True), (8, False)])
def test_the_very_same_event_once_more_is_a_problem_only_where_the_sequencer_still_knew_it(
    monkeypatch: pytest.MonkeyPatch, remembered: int, is_verified: bool
) -> None:
    """Leaf 12 is leaf 4 again: anybody may copy an old record of `events`, where no rights keep him from it."""
    monkeypatch.setattr("fluvial.auditor.log.REMEMBERED_EVENTS", remembered)
    world = honest_world()
    repeat_event(world)
    world.sign()
    report = audit(world)
    assert report.verified is is_verified
    told = report.skipped if is_verified else report.problems
    assert any("leaf 12" in found.message for found in told)


def test_another_event_of_the_same_name_is_a_problem_however_late_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fluvial.auditor.log.REMEMBERED_EVENTS", 0)
    world = honest_world()
    leaf = decode(world.kept[world.topics.audit][4].value or b"", SequencedEvent)
    world.log_end, again = sequencer.append(world.log_end, replace(leaf.event, time_ms=leaf.event.time_ms + 1))
    world.append(world.topics.audit, again)
    world.sign()
    report = audit(world)
    assert not report.verified
    assert any("leaf 12 repeats the event" in found.message for found in report.problems)


VARIANT = Variant(
    task=TASK,
    version=1,
    model_digest=digest_of(1),
    name="int8",
    recipe="{}",
    builders="{}",
    calibration_sha256=b"",
    artefact_sha256=bytes(32),
    artefact_bytes=1,
    deterministic=True,
    chunks=(),
    failure="",
    created_ms=1,
)
PROMOTION = Promotion(
    task=TASK,
    sequence=1,
    version=1,
    model_digest=digest_of(1),
    variant="int8",
    artefact_sha256=bytes(32),
    runtime="onnxruntime 1",
    processor="x86_64",
    decision=PromotionDecision.PROMOTED,
    reason="",
    policy_sha256=bytes(32),
    measurements=(),
    findings=(),
    gate_uses=1,
    signers=(),
    acts=(),
    created_ms=1,
)


def furnished_world() -> World:
    """An honest world with receipts of every outcome, releases, a variant, a promotion, and refusals of many kinds."""
    world = honest_world()
    for round_ in (1, 2):
        for name in ("anna", "ben"):
            world.answer(name, round_)
        world.release(round_)
    for topic, record in ((world.topics.variants, VARIANT), (world.topics.promotions, PROMOTION)):
        world.append(topic, seal(record, world.key("aggregator"), "promotion"), TASK.encode())
        world.event(record)
    reported(world)
    reported(world, Reason.EQUIVOCATION, measured_ms=7)
    reported(world, Reason.OUT_OF_RANGE, throughput=-1.0)
    reported(world, Reason.SIGNATURE, signer="mallory")
    world.transition(2, RoundTransition.CLOSED)
    world.open_round(3)
    world.judge(world.update("ben", 3), "ben", 3)
    world.answer("ben", 3, Outcome.ROUND_FAILED)
    again = world.append(world.topics.updates, world.kept[world.topics.updates][-1].value or b"", b"ben")
    world.judge(again, "ben", 3, Decision.DUPLICATE, reason=Reason.DUPLICATE_IGNORED)
    second = replace(an_update("ben", 3), created_ms=1)
    world.judge(a_record(world, second), "ben", 3, Decision.REJECT, reason=Reason.EQUIVOCATION)
    for _ in range(3):
        world.judge(world.update("anna", 3), "anna", 3, Decision.REJECT, reason=Reason.NON_FINITE)
    world.judge(world.update("anna", 3), "anna", 3, Decision.REJECT, reason=Reason.TOO_MANY_FAILURES)
    world.judge(world.update("anna", 2), "anna", 2, Decision.REJECT, reason=Reason.STALE_ROUND)
    heavy = replace(an_update("anna", 3), weight=101)
    world.judge(a_record(world, heavy), "anna", 3, Decision.REJECT, reason=Reason.WEIGHT)
    based = replace(an_update("anna", 3), base_digest=bytes(32))
    world.judge(a_record(world, based), "anna", 3, Decision.REJECT, reason=Reason.WRONG_BASE)
    forged = world.append(world.topics.updates, seal(an_update("anna", 3), world.key("mallory"), "anna"), b"anna")
    world.judge(forged, "anna", 0, Decision.REJECT, reason=Reason.SIGNATURE)
    request = world.append(world.topics.enrolments, request_of(world.key("carl"), "carl"), b"carl")
    world.judge(request, "carl", 0, Decision.REJECT, reason=Reason.TOKEN_INVALID)
    world.judge(world.append(world.topics.enrolments, b"", None), "", 0, Decision.REJECT)
    world.sequence()
    world.sign()
    return world


def a_record(world: World, update: ModelUpdate) -> TopicRecord:
    name = update.participant
    return world.append(world.topics.updates, seal(update, world.key(name), name), name.encode())


def audit(world: World) -> Report:
    return verify(world, world.federation, now_ms=world.now_ms)


def messages(report: Report) -> str:
    return "\n".join(f"{problem.check} {problem.where} {problem.message}" for problem in report.problems)


def test_a_federation_with_everything_verifies() -> None:
    report = audit(furnished_world())
    assert report.verified, messages(report)
    assert not report.num_skipped
    assert not report.num_pending
    assert {kind: reconciled.matched for kind, reconciled in report.copies.items()} == {
        "rounds": 3,
        "receipts": 5,
        "releases": 2,
        "variants": 1,
        "promotions": 1,
    }
    assert report.on_trust == {"NON_FINITE": 3, "TOKEN_INVALID": 1}


def test_leaves_of_participants_that_former_releases_wrote_are_believed_if_the_registry_agrees() -> None:
    world = honest_world()
    participant = a_participant("carl", world.key("carl"))
    world.append(world.topics.registry, seal(participant, world.key("registrar"), "registrar"), b"participant/carl")
    world.event(participant)
    world.sequence()
    world.sign()
    report = audit(world)
    assert report.verified, messages(report)


def test_a_revoked_participant_may_be_refused_at_once_and_be_accepted_for_a_moment() -> None:
    """Validation hears of a revocation a moment after the broker has it."""
    world = honest_world()
    world.enrol("anna", status=ParticipantStatus.REVOKED, signed_by="operator", version=1)
    world.judge(world.update("anna", 2), "anna", 2)
    world.judge(world.update("anna", 2), "anna", 0, Decision.REJECT, reason=Reason.KEY_REVOKED)
    world.now_ms += 2 * HEARD_MS
    world.judge(world.update("anna", 2), "anna", 0, Decision.REJECT, reason=Reason.KEY_REVOKED)
    world.sequence()
    world.sign()
    report = audit(world)
    assert report.verified, messages(report)


@pytest.mark.parametrize(
    ("name", "decision"),
    [
        ("mallory", Decision.ACCEPT),
        ("mallory", Decision.DUPLICATE),
        ("anna", Decision.ACCEPT),
        ("anna", Decision.REJECT),
    ],
)
def test_a_verdict_that_anybody_wrote_before_the_gate_did_is_nobodys_word(name: str, decision: Decision) -> None:
    """Whoever writes both, a record and a verdict on it that cannot be, would keep a running federation from being
    verified for as long as he likes."""
    world = furnished_world()
    junk = world.append(world.topics.updates, b"junk", b"mallory")
    reasons = {Decision.REJECT: Reason.SIGNATURE, Decision.DUPLICATE: Reason.DUPLICATE_IGNORED}
    world.judge(junk, name, 1, decision, reason=reasons.get(decision), leaf=False)
    world.sequence()
    world.sign()
    report = audit(world)
    assert report.verified, messages(report)
    assert report.inputs[world.topics.updates].pending == 1
    world.judge(junk, "mallory", 0, Decision.REJECT)
    world.sequence()
    world.sign()
    report = audit(world)
    assert report.verified, messages(report)
    assert report.inputs[world.topics.updates].pending == 0


def test_a_key_that_took_a_revoked_ones_place_at_that_moment_is_refused() -> None:
    """The operator revokes the key that it has read, and the registrar enrols the next one at the same time."""
    world = honest_world()
    stolen = world.key("anna")
    world.enrol("anna", successor := SigningKey.generate(), version=1)
    world.enrol("anna", stolen, status=ParticipantStatus.REVOKED, signed_by="operator", version=REVOCATION_STEP)
    world.now_ms += 2 * HEARD_MS
    world.open_round(3)
    by_successor = world.append(world.topics.updates, seal(an_update("anna", 3), successor, "anna"), b"anna")
    world.judge(by_successor, "anna", 0, Decision.REJECT, reason=Reason.SIGNATURE)
    world.sequence()
    world.sign()
    report = audit(world)
    assert report.verified, messages(report)


def test_a_participant_who_comes_back_with_another_key_signs_with_it() -> None:
    world = honest_world()
    former = world.key("anna")
    world.enrol("anna", status=ParticipantStatus.REVOKED, signed_by="operator", version=1)
    world.keys["anna"] = SigningKey.generate()
    world.now_ms += 2 * HEARD_MS
    world.enrol("anna", version=2)
    # The registry is compacted: what the newest text replaced is gone.
    del world.kept[world.topics.registry][0], world.kept[world.topics.registry][-2]
    world.open_round(3)
    world.judge(world.update("anna", 3), "anna", 3)
    old = world.append(world.topics.updates, seal(an_update("anna", 3), former, "anna"), b"anna")
    world.judge(old, "anna", 0, Decision.REJECT, reason=Reason.SIGNATURE)
    world.sequence()
    world.sign()
    report = audit(world)
    assert report.verified, messages(report)


def test_what_comes_too_early_is_refused_without_alarm() -> None:
    """Sent before its round was heard of, or before its key was enrolled."""
    world = honest_world()
    world.judge(world.update("anna", 3), "anna", 3, Decision.REJECT, reason=Reason.ROUND_UNKNOWN)
    world.judge(world.update("carl", 2), "carl", 0, Decision.REJECT, reason=Reason.KEY_UNKNOWN)
    world.open_round(3)
    world.enrol("carl")
    world.sequence()
    world.sign()
    report = audit(world)
    assert report.verified, messages(report)


def test_an_accepted_request_enrols() -> None:
    world = honest_world()
    request = request_of(world.key("carl"), "carl")
    record = world.append(world.topics.enrolments, request, b"carl")
    world.enrol("carl", request_sha256=sha256(request).digest())
    world.judge(record, "carl", 0, Decision.ACCEPT)
    again = world.append(world.topics.enrolments, request, b"carl")
    world.judge(again, "carl", 0, Decision.DUPLICATE, reason=Reason.DUPLICATE_IGNORED)
    world.sequence()
    world.sign()
    report = audit(world)
    assert report.verified, messages(report)


# What anybody can write who may write to the brokers.

SIGNED = ("rounds", "models", "variants", "promotions", "registry")
TOPICS = ("verdicts", "models", "registry", "rounds", "receipts", "releases", "variants", "promotions", "checkpoints")


@pytest.mark.parametrize("topic", TOPICS)
@pytest.mark.parametrize("value", [b"", b"garbage", bytes(5_000)], ids=["empty", "garbage", "zeros"])
def test_junk_denies_nobody_an_answer(topic: str, value: bytes) -> None:
    world = furnished_world()
    for key in (b"participant/anna", b"participant/mallory", b"task/" + TASK.encode(), b"\xff"):
        world.append(getattr(world.topics, topic), value, key)
    report = audit(world)
    assert report.verified, messages(report)
    assert report.num_skipped or topic == "registry"


@pytest.mark.parametrize("topic", TOPICS)
def test_copies_of_genuine_records_change_nothing(topic: str) -> None:
    world = furnished_world()
    world.enrol("carl")
    world.sequence()
    world.sign()
    name = getattr(world.topics, topic)
    for record in list(world.kept[name]):
        world.append(name, record.value or b"", record.key or b"")
    report = audit(world)
    assert report.verified, messages(report)


@pytest.mark.parametrize("topic", SIGNED)
def test_what_a_stranger_signs_changes_nothing(topic: str) -> None:
    world = furnished_world()
    name = getattr(world.topics, topic)
    kept = world.kept[name][-1]
    envelope = open_envelope(kept.value or b"")
    message = pre_authentication_encoding(envelope.payload_type, envelope.payload)
    signature = Signature(keyid="aggregator", signature=world.key("mallory").sign(message))
    forged = Envelope(payload_type=envelope.payload_type, payload=envelope.payload, signatures=(signature,))
    world.append(name, encode(forged), kept.key or b"")
    report = audit(world)
    assert report.verified, messages(report)
    assert report.num_skipped == 1


def test_what_was_signed_for_one_topic_is_believed_in_no_other() -> None:
    world = furnished_world()
    for name in SIGNED:
        for other in SIGNED:
            record = world.kept[getattr(world.topics, other)][-1]
            if other != name:
                world.append(getattr(world.topics, name), record.value or b"", record.key or b"")
    report = audit(world)
    assert report.verified, messages(report)


def test_verdicts_receipts_and_releases_without_a_leaf_are_believed_by_nobody() -> None:
    world = furnished_world()
    verdicts = world.kept[world.topics.verdicts]
    verdict = decode(verdicts[0].value or b"", Verdict)
    others = (
        replace(verdict, decision=Decision.REJECT, reason=Reason.SIGNATURE),
        replace(verdict, source_offset=10_000),
        replace(verdict, source_topic="elsewhere"),
    )
    for other in others:
        world.append(world.topics.verdicts, encode(other))
    world.answer("mallory", 1, leaf=False)
    world.answer("anna", 1, Outcome.LATE, leaf=False)
    world.put_release(replace(world.release(9), num_examples=1))
    world.events.clear()
    world.now_ms += 2 * MAX_PENDING_MS
    report = audit(world)
    assert report.verified, messages(report)
    assert report.num_skipped == 7


def test_what_a_stranger_writes_before_the_stage_does_is_not_believed_in_its_place() -> None:
    world = honest_world()
    record = world.update("anna", 2)
    genuine = world.judge(record, "anna", 2)
    world.kept[world.topics.verdicts].remove(genuine)
    forged = replace(decode(genuine.value or b"", Verdict), decision=Decision.REJECT, reason=Reason.SIGNATURE)
    world.append(world.topics.verdicts, encode(forged))
    world.append(world.topics.verdicts, genuine.value or b"")
    world.sequence()
    world.sign()
    report = audit(world)
    assert report.verified, messages(report)
    assert report.num_skipped == 1


def test_a_task_that_was_paused_and_removed_is_in_order() -> None:
    """What is said of a round to come needs no leaf that opened it."""
    world = honest_world()
    for status in (RoundStatus.PAUSED, RoundStatus.REMOVED):
        said = replace(a_round(3), status=status)
        world.append(world.topics.rounds, seal(said, world.key("aggregator"), "aggregator"), TASK.encode())
        world.transition(3, RoundTransition(status.value))
    world.judge(world.update("anna", 2), "anna", 2, Decision.REJECT, reason=Reason.STALE_ROUND)
    world.sequence()
    world.sign()
    report = audit(world)
    assert report.verified, messages(report)
    rounds = report.copies["rounds"]
    assert rounds.total == rounds.matched + rounds.pending, "what opens no round is no round without its leaf"


def test_a_release_without_a_measurement_may_have_one_that_takes_its_place() -> None:
    world = honest_world()
    world.release(1, metrics=(), reason="not allowed here")
    world.release(1, again=True)
    world.sequence()
    world.sign()
    assert audit(world).verified


@pytest.mark.parametrize(
    ("first", "again", "why"),
    [
        ({}, {}, "measures again what had been measured"),
        ({"version": 2}, {}, "measures again what was not released before"),
        ({"metrics": (), "reason": "no"}, {"metrics": (), "reason": "still no"}, "and has no measurement"),
    ],
)
def test_no_measurement_that_is_there_is_replaced(first: dict[str, Any], again: dict[str, Any], why: str) -> None:
    world = honest_world()
    world.release(first.pop("version", 1), **first)
    world.release(1, again=True, **again)
    world.sequence()
    world.sign()
    assert why in messages(audit(world))
