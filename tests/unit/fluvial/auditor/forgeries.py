"""What a cluster could write into a log whose chain and signatures are all in order: forgeries that only show when what
was signed is opened and every verdict is taken again. Each function does one thing to an honest world and returns what
the audit must say of it.
"""

from dataclasses import replace
from hashlib import sha256
from typing import Any

from fluvial.admission.rates import LEAST_BURST
from fluvial.auditor.key_lives import HEARD_MS
from fluvial.auditor.patience import MAX_PENDING_MS
from fluvial.auditor.reader import TopicRecord
from fluvial.identity.envelope import seal
from fluvial.identity.keys import SigningKey
from fluvial.registry.order import REVOCATION_STEP
from fluvial.wire.framing import decode, encode
from fluvial.wire.records import (
    Decision,
    DeviceProfile,
    EnrolmentRequest,
    Outcome,
    ParticipantStatus,
    Reason,
    RoundTransition,
    Run,
    SignedAgreement,
    Verdict,
    WithdrawnAgreement,
)
from fluvial.wire.terms import terms_text
from tests.unit.fluvial.auditor.tamperings import next_manifest, tampering
from tests.unit.fluvial.auditor.world import World, a_participant, an_update
from tests.unit.governance.admission.test_reports import a_report


def request_of(key: SigningKey, name: str, token: str = "token") -> bytes:
    device = DeviceProfile(platform="linux", machine="x86_64", memory_bytes=0, accelerator="", network="")
    request = EnrolmentRequest(
        participant=name, public_key=key.public_key, token=token, agreements=(), device=device, requested_ms=1
    )
    return seal(request, key, name)


# Terms.


@tampering
def weaken_terms_with_too_few_signatures(world: World) -> str:
    world.register(0)
    world.register(1, "olga", quorum=1)
    return "version 1 of the task digits: terms that weaken quorum need 2 signatures, of olga, oskar, otto; there are 1"


@tampering
def take_the_operators_out_first(world: World) -> str:
    """What the operator alone has made of the terms counts for nothing, so the next record is as weak."""
    world.register(0)
    world.register(1, approval={})
    return "version 1 of the task digits: terms that weaken approval need 2 signatures"


@tampering
def weaken_again_what_was_not_approved(world: World) -> str:
    world.register(0)
    world.register(1, approval={})
    world.register(2, approval={}, encodings=["float32", "int8"])
    return "version 2 of the task digits: terms that weaken approval, encodings need 2 signatures"


@tampering
def open_a_round_under_weaker_terms(world: World) -> str:
    """The registry is in order; the aggregator is not."""
    terms = terms_text(world.register(0))
    world.open_round(3, terms=terms)
    world.open_round(4, terms=terms, quorum=1)
    world.sequence()
    return "its terms weaken quorum, which the operators that must sign have not signed"


@tampering
def open_a_round_that_names_no_operators(world: World) -> str:
    world.open_round(3, terms=terms_text(world.register(0)))
    world.open_round(4)
    world.sequence()
    return "its terms weaken approval, which the operators that must sign have not signed"


@tampering
def open_a_round_under_another_agreement(world: World) -> str:
    terms = terms_text(world.register(0))
    world.open_round(3, terms=terms)
    world.open_round(4, terms=terms, agreement="other")
    world.sequence()
    return "its terms weaken agreement, which the operators that must sign have not signed"


# Keys.


@tampering
def enrol_without_a_signature(world: World) -> str:
    """Mallory's key becomes one of anna's by a leaf that nobody signed; an update in her name is accepted."""
    world.event(replace(a_participant("anna", world.key("mallory")), request_sha256=bytes(32)))
    forged = world.append(world.topics.updates, seal(an_update("anna", 1), world.key("mallory"), "anna"), b"anna")
    world.judge(forged, "anna", 1)
    world.sequence()
    return "enrols a key of anna: nobody signed it, and the registry has no such key"


@tampering
def enrol_by_another_hand(world: World) -> str:
    world.enrol("anna", world.key("mallory"), signed_by="mallory", version=1)
    world.sequence()
    return "enrols a key of anna: the Participant is signed by neither the operator nor the registrar"


@tampering
def use_a_key_before_it_was_enrolled(world: World) -> str:
    update = world.append(world.topics.updates, seal(an_update("carl", 2), world.key("carl"), "carl"), b"carl")
    world.judge(update, "carl", 2)
    world.now_ms += 2 * HEARD_MS
    world.enrol("carl")
    world.sequence()
    return "the key of carl that signed it was not in force"


@tampering
def accept_after_a_revocation(world: World) -> str:
    world.enrol("anna", status=ParticipantStatus.REVOKED, signed_by="operator", version=1)
    world.now_ms += 2 * HEARD_MS
    world.open_round(3)
    world.judge(world.update("anna", 3), "anna", 3)
    world.sequence()
    return "the key of anna that signed it was not in force"


@tampering
def accept_a_key_that_another_replaced(world: World) -> str:
    former = world.key("anna")
    world.keys["anna"] = SigningKey.generate()
    world.enrol("anna", version=1)
    world.now_ms += 2 * HEARD_MS
    world.open_round(3)
    update = world.append(world.topics.updates, seal(an_update("anna", 3), former, "anna"), b"anna")
    world.judge(update, "anna", 3)
    world.sequence()
    return "the key of anna that signed it was not in force"


@tampering
def accept_a_key_that_took_a_revoked_ones_place(world: World) -> str:
    world.enrol("anna", successor := SigningKey.generate(), version=1)
    world.enrol("anna", status=ParticipantStatus.REVOKED, signed_by="operator", version=REVOCATION_STEP)
    world.now_ms += 2 * HEARD_MS
    world.open_round(3)
    update = world.append(world.topics.updates, seal(an_update("anna", 3), successor, "anna"), b"anna")
    world.judge(update, "anna", 3)
    world.sequence()
    return "the key of anna that signed it was not in force"


@tampering
def say_that_a_key_was_revoked(world: World) -> str:
    world.open_round(3)
    update = world.update("anna", 3)
    world.judge(update, "anna", 0, Decision.REJECT, reason=Reason.KEY_REVOKED)
    world.sequence()
    return "was refused as KEY_REVOKED, but no key of anna was revoked"


# What was signed.


@tampering
def accept_a_request_as_an_update(world: World) -> str:
    record = world.append(world.topics.updates, request_of(world.key("anna"), "anna"), b"anna")
    world.judge(record, "anna", 1)
    world.sequence()
    return "was accepted, but is no update of anna: SCHEMA_UNKNOWN"


@tampering
def accept_an_update_in_anothers_name(world: World) -> str:
    record = world.append(world.topics.updates, seal(an_update("ben", 2), world.key("anna"), "anna"), b"anna")
    world.judge(record, "anna", 2)
    world.sequence()
    return "was accepted, but is no update of anna: PARTICIPANT_MISMATCH"


@tampering
def judge_it_for_another_round(world: World) -> str:
    world.open_round(3)
    world.judge(world.update("anna", 2), "anna", 3)
    world.sequence()
    return "its verdict is on 'anna-3' for round 3, attempt 1 of 'digits', what was signed is 'anna-2' for round 2"


@tampering
def judge_it_as_anothers(world: World) -> str:
    world.judge(world.update("anna", 2), "ben", 2)
    world.sequence()
    return "its verdict names the participant 'ben', its key 'anna'"


@tampering
def name_an_update_that_junk_is_not(world: World) -> str:
    """Who reads the leaf takes it that anna's update for this round was forged."""
    junk = world.append(world.topics.updates, b"junk", b"anna")
    world.judge(junk, "anna", 2, Decision.REJECT, reason=Reason.SIGNATURE)
    world.sequence()
    return "its verdict names an update, yet is SIGNATURE"


@tampering
def accept_under_anothers_routing_key(world: World) -> str:
    record = world.append(world.topics.updates, seal(an_update("anna", 2), world.key("anna"), "anna"), b"ben")
    world.judge(record, "ben", 2)
    world.sequence()
    return "was accepted, but is no envelope of ben: PARTICIPANT_MISMATCH"


@tampering
def decide_other_than_the_reason(world: World) -> str:
    world.judge(world.update("anna", 2), "anna", 2, Decision.ACCEPT, reason=Reason.NON_FINITE)
    world.sequence()
    return "its verdict decides ACCEPT for NON_FINITE"


@tampering
def accept_for_a_round_that_never_was(world: World) -> str:
    world.judge(world.update("anna", 7), "anna", 7)
    world.sequence()
    return "was accepted for round 7, attempt 1 of digits, which the log had not opened"


@tampering
def accept_what_was_trained_from_another_model(world: World) -> str:
    update = replace(an_update("anna", 2), base_digest=bytes(32))
    record = world.append(world.topics.updates, seal(update, world.key("anna"), "anna"), b"anna")
    world.judge(record, "anna", 2)
    world.sequence()
    return "was accepted, but is not trained from the model of round 2"


@tampering
def accept_more_weight_than_allowed(world: World) -> str:
    update = replace(an_update("anna", 2), weight=101)
    record = world.append(world.topics.updates, seal(update, world.key("anna"), "anna"), b"anna")
    world.judge(record, "anna", 2)
    world.sequence()
    return "was accepted, but is not what round 2, attempt 1 of digits asks for: WEIGHT"


@tampering
def accept_another_layout(world: World) -> str:
    update = replace(an_update("anna", 2), layout_digest=bytes(32))
    record = world.append(world.topics.updates, seal(update, world.key("anna"), "anna"), b"anna")
    world.judge(record, "anna", 2)
    world.sequence()
    return "was accepted, but is not what round 2, attempt 1 of digits asks for: MANIFEST_MISMATCH"


@tampering
def accept_after_a_withdrawal(world: World) -> str:
    terms = SignedAgreement(agreement="terms", sha256=bytes(32))
    world.enrol("anna", version=1, agreements=(terms,))
    world.now_ms += 1
    world.enrol("anna", version=2, request_sha256=b"w" * 32)
    world.now_ms += 2 * HEARD_MS
    world.open_round(3, agreement="terms")
    world.judge(world.update("anna", 3), "anna", 3)
    world.sequence()
    return "was accepted, but anna has not signed terms, or has withdrawn it"


@tampering
def accept_for_a_round_after_a_withdrawal(world: World) -> str:
    """The record says since when, so the round that was opened then has to refuse."""
    terms = SignedAgreement(agreement="terms", sha256=bytes(32))
    world.enrol("anna", version=1, agreements=(terms,))
    gone = WithdrawnAgreement(agreement="terms", sha256=bytes(32), withdrawn_ms=world.now_ms + 5)
    world.now_ms += 10
    world.enrol("anna", version=2, request_sha256=b"w" * 32, withdrawn=(gone,))
    world.now_ms += 2 * HEARD_MS
    world.open_round(3, agreement="terms", opened_ms=gone.withdrawn_ms)
    world.judge(world.update("anna", 3), "anna", 3)
    world.sequence()
    return "was accepted, but anna has not signed terms, or has withdrawn it"


@tampering
def refuse_for_a_withdrawal_that_came_later(world: World) -> str:
    """What anna sends for a round that was opened before she withdrew is kept out."""
    terms = SignedAgreement(agreement="terms", sha256=bytes(32))
    world.enrol("anna", version=1, agreements=(terms,))
    world.open_round(3, agreement="terms", opened_ms=world.now_ms)
    gone = WithdrawnAgreement(agreement="terms", sha256=bytes(32), withdrawn_ms=world.now_ms + 5)
    world.now_ms += 10
    world.enrol("anna", version=2, request_sha256=b"w" * 32, withdrawn=(gone,))
    world.judge(world.update("anna", 3), "anna", 3, Decision.REJECT, reason=Reason.AGREEMENT_WITHDRAWN)
    world.sequence()
    return "was refused as AGREEMENT_WITHDRAWN, which the log refutes"


@tampering
def sign_again_by_a_copied_request(world: World) -> str:
    """The request of anna's enrolment, taken for a new one, undoes her withdrawal."""
    terms = SignedAgreement(agreement="terms", sha256=bytes(32))
    gone = WithdrawnAgreement(agreement="terms", sha256=bytes(32), withdrawn_ms=world.now_ms + 5)
    world.enrol("anna", version=1, agreements=(terms,), request_sha256=b"a" * 32, requested_ms=5)
    world.enrol("anna", version=2, request_sha256=b"w" * 32, withdrawn=(gone,), requested_ms=6)
    world.enrol("anna", version=3, agreements=(terms,), request_sha256=b"a" * 32, requested_ms=5)
    world.sequence()
    return "was made from a request that is not later than that of the version before"


@tampering
def refuse_a_request_as_outdated(world: World) -> str:
    raw = request_of(world.key("carl"), "carl")
    request = world.append(world.topics.enrolments, raw, b"carl")
    world.judge(request, "carl", 0, Decision.REJECT, reason=Reason.REQUEST_OUTDATED)
    world.sequence()
    return "was refused as REQUEST_OUTDATED, but no later request was accepted"


@tampering
def refuse_a_request_as_dated_ahead(world: World) -> str:
    raw = request_of(world.key("carl"), "carl")
    request = world.append(world.topics.enrolments, raw, b"carl")
    world.judge(request, "carl", 0, Decision.REJECT, reason=Reason.OUT_OF_RANGE)
    world.sequence()
    return "was refused as OUT_OF_RANGE, but is not dated ahead of the broker"


@tampering
def accept_without_an_agreement(world: World) -> str:
    world.open_round(3, agreement="terms")
    world.judge(world.update("anna", 3), "anna", 3)
    world.sequence()
    return "was accepted, but anna has not signed terms"


@tampering
def enrol_what_is_no_request(world: World) -> str:
    record = world.append(world.topics.enrolments, b"garbage", b"carl")
    world.judge(record, "carl", 0, Decision.ACCEPT)
    world.sequence()
    return "was accepted, but is no enrolment request: ENVELOPE"


@tampering
def accept_a_request_and_enrol_nobody(world: World) -> str:
    record = world.append(world.topics.enrolments, request_of(world.key("carl"), "carl"), b"carl")
    world.judge(record, "carl", 0, Decision.ACCEPT)
    world.sequence()
    return "was accepted, but neither log nor registry holds what it enrols"


# Censorship: an honest update of an open round, refused for a reason that it has not.


def censored(world: World, reason: Reason) -> str:
    world.now_ms += 2 * HEARD_MS
    for ended in (RoundTransition.CLOSED, RoundTransition.FAILED):
        world.transition(2, ended)
    world.open_round(3)
    world.sequence()
    world.now_ms += 2 * HEARD_MS
    decision = Decision.QUARANTINE if reason is Reason.SCHEMA_UNKNOWN else Decision.REJECT
    if reason is Reason.DUPLICATE_IGNORED:
        decision = Decision.DUPLICATE
    is_of_bytes = reason in (Reason.SIGNATURE, Reason.DECODE, Reason.SCHEMA_UNKNOWN, Reason.KEY_UNKNOWN)
    world.judge(world.update("anna", 3), "anna", 0 if is_of_bytes else 3, decision, reason=reason)
    world.sequence()
    return f"was refused as {reason}"


for _reason in (
    Reason.SIGNATURE,
    Reason.DECODE,
    Reason.SCHEMA_UNKNOWN,
    Reason.KEY_UNKNOWN,
    Reason.STALE_ROUND,
    Reason.ROUND_UNKNOWN,
    Reason.WRONG_BASE,
    Reason.EQUIVOCATION,
    Reason.TOO_MANY_FAILURES,
    Reason.MANIFEST_MISMATCH,
    Reason.WEIGHT,
    Reason.ENCODING,
    Reason.NOT_INVITED,
    Reason.AGREEMENT,
):

    def _censor(world: World, reason: Reason = _reason) -> str:
        return censored(world, reason)

    _censor.__name__ = f"censor_as_{_reason.value.lower()}"
    tampering(_censor)


@tampering
def censor_as_one_too_many(world: World) -> str:
    """Somebody else's flood in the same partition excuses no refusal of what anna sent."""
    world.now_ms += 2 * HEARD_MS
    world.open_round(3)
    for _ in range(LEAST_BURST):
        world.judge(world.append(world.topics.updates, b"junk", b"mallory"), "mallory", 0, Decision.REJECT)
    world.judge(world.update("anna", 3), "anna", 0, Decision.REJECT, reason=Reason.OVER_RATE)
    world.sequence()
    return "was refused as OVER_RATE, but anna had sent little"


def flooded(world: World, name: str = "anna") -> tuple[list[TopicRecord], list[TopicRecord]]:
    """What a gate looked at, which is judged here, and what was beyond the share."""
    world.now_ms += 2 * HEARD_MS
    records = world.flood(name, LEAST_BURST + 40)
    for record in records[:LEAST_BURST]:
        world.judge(record, (record.key or b"").decode(), 0, Decision.REJECT)
    return records[:LEAST_BURST], records[LEAST_BURST:]


@tampering
def censor_among_many(world: World) -> str:
    """An honest update, hidden in the refusal of a flood."""
    _, records = flooded(world, "")
    world.open_round(3)
    world.refuse([*records, world.update("anna", 3)], "")
    world.sequence()
    return "was refused as OVER_RATE, but anna had sent little"


@tampering
def censor_among_many_of_another(world: World) -> str:
    _, records = flooded(world)
    world.open_round(3)
    world.refuse([*records, world.update("ben", 3)], "anna")
    world.sequence()
    return "its verdict names the participant 'anna', its key 'ben'"


@tampering
def refuse_many_twice(world: World) -> str:
    _, records = flooded(world)
    world.refuse(records, "anna")
    world.refuse(records[7:], "anna")
    world.sequence()
    return "refuses what leaf"


@tampering
def refuse_many_and_judge_one_of_them(world: World) -> str:
    _, records = flooded(world)
    world.judge(records[7], "anna", 0, Decision.REJECT)
    world.refuse(records, "anna")
    world.sequence()
    return "has two verdicts, in leaf"


@tampering
def refuse_many_of_other_bytes(world: World) -> str:
    _, records = flooded(world)
    world.refuse(records, "anna")
    index = world.kept[world.topics.updates].index(records[7])
    world.replace_value(world.topics.updates, index, b"a good update")
    world.sequence()
    return "what was refused from here on in leaf"


@tampering
def refuse_many_that_are_not_there(world: World) -> str:
    _, records = flooded(world)
    world.refuse(records, "anna", runs=(Run(skipped=0, length=50),))
    world.sequence()
    return "10 of the records refused from here on are not in the topic"


@tampering
def refuse_many_at_another_time(world: World) -> str:
    _, records = flooded(world)
    world.refuse(records, "anna", source_timestamp_ms=world.now_ms + 1)
    world.sequence()
    return "has broker time"


@tampering
def refuse_in_runs_that_no_gate_writes(world: World) -> str:
    _, records = flooded(world)
    world.refuse(records, "anna", runs=(Run(skipped=0, length=40), Run(skipped=-40, length=40)))
    world.sequence()
    return "a run of 40 offsets behind -40"


@tampering
def hide_what_was_refused_of_many(world: World) -> str:
    _, records = flooded(world)
    written = world.refuse(records, "anna")
    world.kept[world.topics.verdicts].remove(written)
    world.sequence()
    return "as the topic does not"


@tampering
def refuse_many_without_a_leaf(world: World) -> str:
    _, records = flooded(world)
    world.refuse(records, "anna", leaf=False)
    world.judge(world.flood("anna", 1)[0], "anna", 0, Decision.REJECT)
    world.sequence()
    return "has no leaf in the log, though newer verdicts have, or for too long"


@tampering
def tell_what_was_not_opened(world: World) -> str:
    world.open_round(3)
    world.judge(world.update("anna", 3), "anna", 3, Decision.REJECT, reason=Reason.OVER_RATE)
    world.sequence()
    return "was refused as OVER_RATE, unopened, yet its verdict says what is in it"


@tampering
def censor_as_a_repeat(world: World) -> str:
    censored(world, Reason.DUPLICATE_IGNORED)
    return "was refused as DUPLICATE_IGNORED, which the log refutes"


@tampering
def refuse_a_request_that_is_in_order(world: World) -> str:
    record = world.append(world.topics.enrolments, request_of(world.key("carl"), "carl"), b"carl")
    world.judge(record, "carl", 0, Decision.REJECT, reason=Reason.SIGNATURE)
    world.sequence()
    return "was refused as SIGNATURE, though it is in order"


@tampering
def never_judge(world: World) -> str:
    """The newest records of their partition, and nothing after them: for a month."""
    world.open_round(3)
    for _ in range(5):
        world.update("anna", 3)
    world.now_ms += 30 * MAX_PENDING_MS
    world.sequence()
    return "has no verdict, though newer records have, or for too long"


@tampering
def never_sign(world: World) -> str:
    world.judge(world.update("anna", 2), "anna", 2)
    world.sequence()
    world.now_ms += 2 * MAX_PENDING_MS
    return "no checkpoint covers it, for too long"


# Leaves of what stands in other topics.


@tampering
def tell_of_a_round_that_nobody_signed(world: World) -> str:
    world.transition(3, RoundTransition.OPENED)
    world.sequence()
    return "opens round 3, attempt 1 of digits, which nobody signed"


@tampering
def open_a_former_round_again(world: World) -> str:
    world.open_round(2, attempt=2)
    world.open_round(1, attempt=2)
    world.sequence()
    return "opens round 1, attempt 2 of digits after a later one"


@tampering
def close_a_round_that_was_not_opened(world: World) -> str:
    world.transition(2, RoundTransition.FAILED, attempt=4)
    world.sequence()
    return "says FAILED of round 2, attempt 4 of digits, which was not opened"


@tampering
def open_on_another_version(world: World) -> str:
    record = world.open_round(3)
    world.events.clear()
    world.append(
        world.topics.rounds, seal(replace(record, base_version=1), world.key("aggregator"), "aggregator"), b"digits"
    )
    world.transition(3, RoundTransition.OPENED)
    world.sequence()
    return "begins on version 1, but not in leaf"


@tampering
def invent_a_receipt(world: World) -> str:
    world.event(world.answer("anna", 1, Outcome.LATE, leaf=False))
    world.kept[world.topics.receipts].clear()
    world.sequence()
    return "holds receipt/anna/digits/1/1/anna-1, which is not in the topic"


@tampering
def answer_what_was_not_accepted(world: World) -> str:
    world.answer("mallory", 1, Outcome.LATE)
    world.sequence()
    return "receipt of mallory-1 by mallory: no such update was accepted"


@tampering
def answer_other_than_the_manifest(world: World) -> str:
    world.answer("anna", 1, Outcome.EXCLUDED)
    world.sequence()
    return "receipt of anna-1 by anna: EXCLUDED with weight 10, which the manifest does not say"


@tampering
def say_that_what_is_in_a_model_came_too_late(world: World) -> str:
    world.answer("anna", 1, Outcome.LATE)
    world.sequence()
    return "receipt of anna-1 by anna: LATE, but version 1 of digits was made with it"


@tampering
def leave_an_update_out_as_if_its_round_had_failed(world: World) -> str:
    record = world.update("carla", 1)
    world.judge(record, "carla", 1)
    world.answer("carla", 1, Outcome.ROUND_FAILED)
    world.sequence()
    return "receipt of carla-1 by carla: its round failed, but has made version 1 of digits"


@tampering
def answer_for_another_version(world: World) -> str:
    receipt = world.answer("anna", 1, leaf=False)
    world.kept[world.topics.receipts].clear()
    world.put_receipt(replace(receipt, version=2))
    world.sequence()
    return "receipt of anna-1 by anna: version 2 of digits was not made with it"


@tampering
def alter_a_receipt(world: World) -> str:
    receipt = world.answer("anna", 1, leaf=False)
    world.event(replace(receipt, outcome=Outcome.EXCLUDED))
    world.sequence()
    return "which holds receipt/anna/digits/1/1/anna-1"


@tampering
def invent_a_release(world: World) -> str:
    world.release(1)
    world.kept[world.topics.releases].clear()
    world.sequence()
    return "holds release/digits/1, which is not in the topic"


@tampering
def release_another_model(world: World) -> str:
    world.release(1, model_digest=bytes(32))
    world.sequence()
    return "measures a model that was not published as this version"


@tampering
def release_better_numbers(world: World) -> str:
    release = world.release(1)
    world.kept[world.topics.releases].clear()
    world.put_release(replace(release, num_examples=1_000_000))
    world.sequence()
    return "which holds release/digits/1"


@tampering
def judge_a_record_of_another_topic(world: World) -> str:
    """The verdict of one topic, told of another."""
    verdict = decode(world.kept[world.topics.verdicts][0].value or b"", Verdict)
    world.event(replace(verdict, source_topic=world.topics.enrolments))
    world.sequence()
    return "is not in the topic"


@tampering
def publish_with_an_update_that_was_refused(world: World) -> str:
    manifest = next_manifest(world)
    refused = world.append(world.topics.updates, b"refused", b"mallory", partition=1)
    world.judge(refused, "mallory", 0, Decision.REJECT)
    first, *rest = manifest.contributions
    part = replace(
        first,
        participant="mallory",
        source_partition=refused.partition,
        source_offset=refused.offset,
        record_sha256=sha256(b"refused").digest(),
    )
    parts = tuple(sorted((part, *rest), key=lambda each: each.record_sha256))
    world.publish_manifest(replace(manifest, contributions=parts), "aggregator", leaf=True)
    world.sequence()
    return "by mallory was not accepted for this round"


# Measurements.


def reported(world: World, reason: Reason = Reason.ACCEPTED, signer: str = "anna", **changes: Any) -> None:
    """A measurement of anna's, and a verdict on it with its leaf."""
    report = a_report(measurer="anna", task="digits", **changes)
    record = world.append(world.topics.reports, seal(report, world.key(signer), "anna"), b"anna")
    accepted, is_read = reason is Reason.ACCEPTED, reason is not Reason.SIGNATURE
    verdict = Verdict(
        source_topic=record.topic,
        source_partition=record.partition,
        source_offset=record.offset,
        source_timestamp_ms=record.timestamp_ms,
        record_sha256=sha256(record.value or b"").digest(),
        participant="anna",
        task=report.task if is_read else "",
        round=report.version if is_read else 0,
        attempt=0,
        update_id=report.variant if is_read else "",
        decision=Decision.ACCEPT if accepted else Decision.REJECT,
        reason=reason,
        norm=0.0,
        max_abs=0.0,
    )
    world.event(verdict)
    world.append(world.topics.verdicts, encode(verdict), b"anna")


@tampering
def admit_a_measurement_that_nobody_signed(world: World) -> str:
    reported(world, signer="mallory")
    world.sequence()
    return "was accepted, but no key of anna in force signed it"


@tampering
def admit_numbers_that_no_measurement_gives(world: World) -> str:
    reported(world, throughput=-1.0)
    world.sequence()
    return "was accepted, but has numbers that no measurement gives"


@tampering
def admit_two_measurements_of_a_variant(world: World) -> str:
    reported(world)
    reported(world, measured_ms=7)
    world.sequence()
    return "was accepted, as another of its variant was"


@tampering
def refuse_a_measurement_that_is_in_range(world: World) -> str:
    reported(world, Reason.OUT_OF_RANGE)
    world.sequence()
    return "was refused as OUT_OF_RANGE, which the log refutes"


@tampering
def refuse_the_only_measurement_as_a_second(world: World) -> str:
    reported(world, Reason.EQUIVOCATION)
    world.sequence()
    return "was refused as EQUIVOCATION, which the log refutes"
