"""What verdicts and receipts say of the records that were judged."""

from dataclasses import replace

from fluvial.wire.records import Decision, Outcome, Reason, Receipt, Verdict
from governance.admission import gate
from pipelines.flink.offsets import Bounds
from pipelines.validation.recovery import judged
from tests.unit.governance.admission.builders import a_world, judge

UPDATES, REPORTS = "fluvial.updates", "fluvial.reports"


def a_verdict(
    offset: int, reason: Reason = Reason.ACCEPTED, round_: int = 3, attempt: int = 1, participant: str = "alice"
) -> Verdict:
    judgement = judge(b"", a_world())
    assert isinstance(judgement, gate.Refused)
    return replace(
        judgement.verdict,
        source_partition=1,
        source_offset=offset,
        record_sha256=offset.to_bytes(32, "big"),
        participant=participant,
        task="demo",
        round=round_,
        attempt=attempt,
        update_id=f"update-{offset}",
        decision=Decision.ACCEPT if reason is Reason.ACCEPTED else Decision.REJECT,
        reason=reason,
    )


def a_receipt(verdict: Verdict) -> Receipt:
    return Receipt(
        task=verdict.task,
        round=verdict.round,
        attempt=verdict.attempt,
        participant=verdict.participant,
        update_id=verdict.update_id,
        outcome=Outcome.INCLUDED,
        version=1,
        weight=1,
        model_digest=b"",
    )


def test_what_was_accepted_without_a_receipt_is_unanswered_and_reading_begins_there() -> None:
    verdicts = [a_verdict(offset, participant=f"p{offset}") for offset in (7, 5, 6, 8)]
    found = judged(verdicts, [a_receipt(verdicts[1])], UPDATES, REPORTS, lambda task: 0)
    assert found.unanswered == {(UPDATES, 1, offset): offset.to_bytes(32, "big") for offset in (6, 7, 8)}
    bounds = {0: Bounds(2, 4, 4), 1: Bounds(5, 99, 99)}
    assert found.first_wanted(UPDATES, bounds) == {0: 2, 1: 6}
    all_answered = judged(verdicts, map(a_receipt, verdicts), UPDATES, REPORTS, lambda task: 0)
    assert all_answered.first_wanted(UPDATES, bounds) == {0: 2, 1: 9}
    assert found.first_wanted(UPDATES, {1: Bounds(8, 99, 99)}) == {1: 8}


def test_memories_hold_what_was_accepted_and_what_has_failed() -> None:
    verdicts = [
        a_verdict(1),
        a_verdict(2, Reason.INCOMPLETE, round_=4),
        a_verdict(3, Reason.NON_FINITE, round_=4),
        a_verdict(4, Reason.DUPLICATE_IGNORED, round_=4),
        a_verdict(5, Reason.STALE_ROUND, participant="bob"),
    ]
    found = judged(verdicts, [], UPDATES, REPORTS, lambda task: 0)
    assert found.memories.keys() == {"alice"}
    memory = found.memories["alice"]
    assert memory.accepted("demo", 3, 1) == (1).to_bytes(32, "big")
    assert memory.num_failures("demo", 4) == 2
    assert all(found.places.holds(UPDATES, 1, offset) for offset in range(1, 6))


def test_copies_of_verdicts_and_receipts_change_nothing() -> None:
    """A stage's proof covers a record, not its place, so a copy has it too. Failures are counted, and whoever has too
    many in a round is heard no more: copies of one counted as many."""
    verdicts = [a_verdict(1), a_verdict(2, Reason.INCOMPLETE, round_=4), a_verdict(3, participant="bob")]
    receipts = [a_receipt(verdicts[0])]
    once = judged(verdicts, receipts, UPDATES, REPORTS, lambda task: 0)
    again = judged(verdicts * 20, receipts * 20, UPDATES, REPORTS, lambda task: 0)
    assert again.memories["alice"].num_failures("demo", 4) == 1
    assert {name: memory.dump() for name, memory in again.memories.items()} == {
        name: memory.dump() for name, memory in once.memories.items()
    }
    assert again.unanswered == once.unanswered == {(UPDATES, 1, 3): (3).to_bytes(32, "big")}


def test_rounds_that_no_longer_matter_leave_no_memory_and_are_not_missed() -> None:
    verdicts = [a_verdict(offset, round_=offset, participant="p") for offset in range(1, 100)]
    found = judged(verdicts, [], UPDATES, REPORTS, lambda task: 95)
    assert [offset for _, _, offset in found.unanswered] == [95, 96, 97, 98, 99]
    assert len(found.memories["p"].dump()) < 400


def test_verdicts_on_enrolments_are_places_alone() -> None:
    verdict = replace(a_verdict(1), source_topic="fluvial.enrolments", task="")
    found = judged([verdict], [], UPDATES, REPORTS, lambda task: 0)
    assert found.places.holds("fluvial.enrolments", 1, 1)
    assert (found.unanswered, found.memories) == ({}, {})


def test_an_accepted_measurement_is_remembered_and_is_no_update() -> None:
    accepted = replace(a_verdict(3), source_topic=REPORTS)
    refused = replace(a_verdict(4, Reason.OUT_OF_RANGE), source_topic=REPORTS)
    found = judged([accepted, refused], [], UPDATES, REPORTS, lambda task: 0)
    assert found.reports.accepted(("alice", "demo", 3, "update-3")) == accepted.record_sha256
    assert found.reports.accepted(("alice", "demo", 3, "update-4")) is None
    assert (found.unanswered, found.memories) == ({}, {})
    assert all(found.places.holds(REPORTS, 1, offset) for offset in (3, 4))
