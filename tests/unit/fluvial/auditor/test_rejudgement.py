"""Verdicts that hold when they are taken again: refusals of floods, and what was accepted before a withdrawal."""

from dataclasses import replace

from fluvial.admission.rates import LEAST_BURST
from fluvial.auditor.check_history import check_history
from fluvial.auditor.key_lives import HEARD_MS
from fluvial.auditor.patience import MAX_PENDING_MS
from fluvial.auditor.reader import TopicRecord
from fluvial.auditor.verify import verify
from fluvial.wire.framing import decode, encode
from fluvial.wire.records import Decision, OverRate, Reason, Run, SignedAgreement, WithdrawnAgreement
from tests.unit.fluvial.auditor.world import World, honest_world


def test_what_somebody_sends_too_much_may_be_refused_unopened() -> None:
    """A participant's flood, and one of names that nobody has."""
    world = honest_world()
    world.now_ms += 2 * HEARD_MS
    for name in ("anna", "nobody"):
        for number in range(LEAST_BURST + 2):
            key = b"%s-%d" % (name.encode(), number) if name == "nobody" else name.encode()
            record = world.append(world.topics.updates, b"junk %d" % number, key)
            reason = Reason.ENVELOPE if number < LEAST_BURST else Reason.OVER_RATE
            world.judge(record, key.decode(), 0, Decision.REJECT, reason=reason)
    world.sequence()
    world.sign()
    report = verify(world, world.federation, now_ms=world.now_ms)
    assert report.verified, report.problems


def flooded_world() -> World:
    """Two floods in one partition, of a participant and of nobody, each with a record for what was too much."""
    world = honest_world()
    world.now_ms += 2 * HEARD_MS
    refused: dict[str, list[TopicRecord]] = {"anna": [], "": []}
    for number in range(2 * LEAST_BURST):
        for name, beyond in refused.items():
            (record,) = world.flood(name, 1)
            if number < LEAST_BURST:
                world.judge(record, (record.key or b"").decode(), 0, Decision.REJECT)
            else:
                beyond.append(record)
    for name, beyond in refused.items():
        world.refuse(beyond, name)
    world.sequence()
    world.sign()
    return world


def verdicts_broken(world: World, *, is_running: bool = False) -> set[str]:
    """Of the invariants of verdicts and leaves, those that the world breaks."""
    found = check_history(world, world.federation, is_running=is_running).violations
    return {violation.invariant for violation in found} & {"I1", "I4"}


def test_what_two_senders_send_too_much_may_be_refused_many_at_once() -> None:
    world = flooded_world()
    report = verify(world, world.federation, now_ms=world.now_ms)
    assert report.verified, report.problems
    updates = report.inputs[world.topics.updates]
    assert updates.matched == updates.total
    assert updates.pending == 0
    assert not verdicts_broken(world)


def test_a_refusal_of_many_whose_first_records_are_gone_is_no_contradiction() -> None:
    world = flooded_world()
    updates = world.kept[world.topics.updates]
    first = next(record.offset for record in updates[3 * LEAST_BURST :] if record.partition == 0)
    kept = [record for record in updates if record.partition or record.offset >= first]
    gone = len(updates) - len(kept)
    world.begin[world.topics.updates] = {0: first}
    world.kept[world.topics.updates] = kept
    report = verify(world, world.federation, now_ms=world.now_ms)
    assert report.verified, report.problems
    found = report.inputs[world.topics.updates]
    assert found.expired == gone


def test_a_refusal_of_many_that_waits_for_its_leaf_is_pending() -> None:
    world = honest_world()
    world.now_ms += 2 * HEARD_MS
    records = world.flood("anna", 2 * LEAST_BURST)
    for record in records[:LEAST_BURST]:
        world.judge(record, "anna", 0, Decision.REJECT)
    world.sequence()
    world.sign()
    world.refuse(records[LEAST_BURST:], "anna", leaf=False)
    report = verify(world, world.federation, now_ms=world.now_ms)
    assert report.verified, report.problems
    assert report.verdicts.pending == 1
    assert report.inputs[world.topics.updates].pending == 0
    assert not verdicts_broken(world, is_running=True)
    assert verdicts_broken(world) == {"I4"}


def test_who_writes_refusals_of_many_that_no_stage_wrote_denies_nobody_an_answer() -> None:
    world = flooded_world()
    written = world.kept[world.topics.verdicts][-1]
    genuine = decode(written.value or b"", OverRate)
    others = (
        genuine,
        replace(genuine, records_sha256=bytes(32)),
        replace(genuine, first=0, runs=(Run(skipped=0, length=4096),)),
        replace(genuine, first=100_000),
        replace(genuine, first=100_000, runs=(Run(skipped=0, length=-1),)),
        replace(genuine, first=100_000, runs=(Run(skipped=0, length=2),)),
    )
    for other in others:
        world.append(world.topics.verdicts, encode(other))
    report = verify(world, world.federation, now_ms=world.now_ms + 2 * MAX_PENDING_MS)
    assert [problem for problem in report.problems if problem.check != "checkpoints"] == []
    assert report.num_skipped == len(others)


def test_what_was_accepted_before_a_withdrawal_stays() -> None:
    world = honest_world()
    terms = SignedAgreement(agreement="terms", sha256=bytes(32))
    world.enrol("anna", version=1, agreements=(terms,), request_sha256=b"s" * 32)
    world.now_ms += 2 * HEARD_MS
    world.open_round(3, agreement="terms")
    world.judge(world.update("anna", 3), "anna", 3)
    world.enrol("anna", version=2, request_sha256=b"w" * 32)
    world.sequence()
    world.sign()
    report = verify(world, world.federation, now_ms=world.now_ms)
    assert report.verified, report.problems


def test_a_withdrawal_takes_effect_with_the_next_round() -> None:
    """Long after it an update for the round that was open is accepted still, and one for the next is refused."""
    world = honest_world()
    terms = SignedAgreement(agreement="terms", sha256=bytes(32))
    world.enrol("anna", version=1, agreements=(terms,), request_sha256=b"s" * 32)
    world.open_round(3, agreement="terms", opened_ms=world.now_ms)
    gone = WithdrawnAgreement(agreement="terms", sha256=bytes(32), withdrawn_ms=world.now_ms + 5)
    world.now_ms += 10
    world.enrol("anna", version=2, request_sha256=b"w" * 32, withdrawn=(gone,))
    world.now_ms += 2 * HEARD_MS
    world.judge(world.update("anna", 3), "anna", 3)
    world.open_round(4, agreement="terms", opened_ms=world.now_ms)
    world.judge(world.update("anna", 4), "anna", 4, Decision.REJECT, reason=Reason.AGREEMENT_WITHDRAWN)
    world.sequence()
    world.sign()
    report = verify(world, world.federation, now_ms=world.now_ms)
    assert report.verified, report.problems


def test_what_a_participant_signed_and_others_made_too_much_is_told() -> None:
    """Junk under its name uses up its share: by a stranger, or by an operator who would be rid of its update."""
    world = honest_world()
    world.now_ms += 2 * HEARD_MS
    for record in world.flood("anna", LEAST_BURST):
        world.judge(record, "anna", 0, Decision.REJECT)
    world.refuse([*world.flood("anna", 3), world.update("anna", 3)], "anna")
    world.sequence()
    world.sign()
    report = verify(world, world.federation, now_ms=world.now_ms)
    assert report.verified, report.problems
    assert report.on_trust["OVER_RATE"] == 1


def test_a_flood_of_junk_is_nothing_to_be_told() -> None:
    world = flooded_world()
    assert "OVER_RATE" not in verify(world, world.federation, now_ms=world.now_ms).on_trust
