"""Validate over dict-backed state: one verdict for every record, whatever waits for whatever."""

from copy import deepcopy
from dataclasses import replace

from fluvial.transparency.event import EVENT_TYPES
from fluvial.wire.framing import decode, encode
from fluvial.wire.records import AcceptedUpdate, InputGap, Outcome, Receipt
from governance.admission.replay import MAX_FAILURES
from pipelines.flink.frames import SourceRecord
from pipelines.validation.accepted_records import REPEATED_ROUNDS
from pipelines.validation.unheard import MAX_UNHEARD
from tests.unit.governance.admission.builders import (
    OTHER_KEY,
    a_participant,
    a_round,
    an_update,
    chunks_of,
    references,
    sealed,
)
from tests.unit.pipelines.validation.stage import REGISTRAR, ValidationStage, uploaded


def test_an_update_in_chunks_is_accepted_once_its_content_is_read() -> None:
    with ValidationStage() as stage:
        (offset,) = stage.send([uploaded(stage)])
        assert stage.verdicts == []
        stage.settle()
        assert stage.reasons() == {(3, offset): ["ACCEPTED"]}
        assert [one.source_offset for one in stage.accepted] == [offset]
        assert stage.flink.is_empty("parked")


def test_more_copies_than_may_be_parked_have_one_verdict_each() -> None:
    with ValidationStage() as stage:
        raw = uploaded(stage)
        first, *others = stage.send([raw] * (MAX_UNHEARD + 36))
        stage.settle()
        assert stage.reasons() == {
            (3, first): ["ACCEPTED"],
            **{(3, offset): ["DUPLICATE_IGNORED"] for offset in others},
        }
        assert [one.source_offset for one in stage.accepted] == [first]
        assert sorted(stage.log.reads) == sorted(stage.log.chunks)


def test_copies_of_what_cannot_be_read_are_each_refused() -> None:
    with ValidationStage() as stage:
        offsets = stage.send([sealed(an_update())] * 50)
        stage.settle()
        reasons = [stage.reasons()[3, offset] for offset in offsets]
        assert reasons == [["INCOMPLETE"]] * MAX_FAILURES + [["TOO_MANY_FAILURES"]] * (50 - MAX_FAILURES)


def test_after_a_restart_all_that_waited_is_judged_once() -> None:
    with ValidationStage() as stage:
        first, *others = stage.send([uploaded(stage)] * 70)
        stage.restart()
        stage.settle()
        assert stage.reasons() == {
            (3, first): ["ACCEPTED"],
            **{(3, offset): ["DUPLICATE_IGNORED"] for offset in others},
        }


def test_many_envelopes_that_name_one_bad_upload_cost_a_few_checks() -> None:
    """300 envelopes of one upload, the digest of its last chunk wrong: 900 chunks were read, in one call."""
    with ValidationStage() as stage:
        chunks, _ = chunks_of()
        named = references(chunks)
        stage.log.write(named, chunks)
        wrong = (*named[:-1], replace(named[-1], sha256=bytes(32)))
        raws = [sealed(an_update(chunks=wrong, update_id=f"update-{number}")) for number in range(300)]
        offsets = stage.send(raws)
        assert stage.log.reads == []
        stage.settle()
        assert len(stage.log.reads) <= MAX_FAILURES * len(chunks)
        reasons = [stage.reasons()[3, offset] for offset in offsets]
        assert reasons == [["CHUNK_MISMATCH"]] * MAX_FAILURES + [["TOO_MANY_FAILURES"]] * (300 - MAX_FAILURES)
        good = stage.send([uploaded(stage, 500, attempt=2, round=3)])
        assert stage.reasons()[3, good[0]] == ["TOO_MANY_FAILURES"]
        stage.announce(a_round(round=4))
        stage.send([uploaded(stage, 600, round=4)])
        stage.settle()
        assert [one.round for one in stage.accepted] == [4]


def test_failures_are_remembered_over_a_restart() -> None:
    with ValidationStage() as stage:
        stage.send([sealed(an_update())] * MAX_FAILURES)
        stage.settle()
        stage.restart()
        (offset,) = stage.send([uploaded(stage)])
        assert stage.reasons()[3, offset] == ["TOO_MANY_FAILURES"]


def test_an_update_that_overtakes_its_round_waits_for_it() -> None:
    with ValidationStage() as stage:
        (offset,) = stage.send([uploaded(stage, round=4)])
        stage.pass_time(1_000)
        assert stage.verdicts == []
        stage.announce(a_round(round=4))
        stage.settle()
        assert stage.reasons() == {(3, offset): ["ACCEPTED"]}


def test_what_never_comes_is_refused_and_leaves_no_state() -> None:
    with ValidationStage() as stage:
        offsets = stage.send([uploaded(stage, round=4), uploaded(stage, 200, task="none")])
        stage.settle()
        assert [stage.reasons()[3, offset] for offset in offsets] == [["ROUND_UNKNOWN"], ["TASK_UNKNOWN"]]
        assert stage.flink.is_empty("parked")


def test_what_was_accepted_leaves_the_state_when_no_update_of_its_round_is_taken_any_more() -> None:
    with ValidationStage() as stage:
        for number in range(3, 3 + 3 * REPEATED_ROUNDS, REPEATED_ROUNDS):
            stage.announce(a_round(round=number))
            stage.send([uploaded(stage, 100 * number, round=number)])
            stage.settle()
        assert len(stage.accepted) == 3
        (lane,) = (cell for (name, _), cell in stage.flink.cells.items() if name == "accepted")
        assert len(lane["alice"]) < 200
        for number in range(100, 100 + 2 * REPEATED_ROUNDS):
            stage.announce(a_round(round=number))
        stage.send([b"anything that makes the lane move"])
        assert stage.flink.is_empty("accepted")


def test_registry_and_rounds_are_in_no_checkpoint_however_many_there_are() -> None:
    with ValidationStage() as stage:
        before = stage.flink.num_values()
        for number in range(100):
            stage.register(a_participant(participant=f"participant-{number}"), REGISTRAR)
            stage.announce(a_round(round=4 + number))
        assert stage.flink.num_values() == before
        stage.send([uploaded(stage, round=103)])
        stage.settle()
        assert len(stage.accepted) == 1, "they are known all the same"


def receipt_of(accepted: AcceptedUpdate) -> bytes:
    return encode(
        Receipt(
            task=accepted.task,
            round=accepted.round,
            attempt=accepted.attempt,
            participant=accepted.participant,
            update_id=accepted.update_id,
            outcome=Outcome.INCLUDED,
            version=1,
            weight=1,
            model_digest=b"",
        )
    )


def test_a_job_without_state_writes_no_second_verdict_and_hands_on_what_has_no_receipt() -> None:
    with ValidationStage() as stage:
        stage.send([uploaded(stage), b"junk"])
        stage.settle()
        stage.announce(a_round(round=4))
        stage.send([uploaded(stage, 200, round=4, update_id="update-2")])
        stage.settle()
        before, (answered, waiting) = stage.reasons(), stage.accepted
        stage.commit("receipts", receipt_of(answered))
        stage.start_anew()
        stage.settle()
        assert stage.reasons() == before
        assert stage.accepted == [answered, waiting, waiting]
        assert stage.known.starts["fluvial.updates"] == {3: waiting.source_offset}
        assert stage.log.reads.count((waiting.chunks[0].partition, waiting.chunks[0].offset)) == 1


def test_a_job_without_state_knows_what_was_accepted_and_what_has_failed() -> None:
    with ValidationStage() as stage:
        raw = uploaded(stage)
        stage.send([raw])
        stage.settle()
        stage.announce(a_round(round=4))
        gone = references(chunks_of()[0], 900)
        stage.send([sealed(an_update(round=4, chunks=gone))] * MAX_FAILURES)
        stage.settle()
        stage.start_anew()
        again, other, failing = stage.send(
            [raw, uploaded(stage, 300, update_id="update-9"), uploaded(stage, 400, round=4)]
        )
        stage.settle()
        found = [stage.reasons()[3, offset] for offset in (again, other, failing)]
        assert found == [["DUPLICATE_IGNORED"], ["EQUIVOCATION"], ["TOO_MANY_FAILURES"]]


def test_what_was_not_judged_when_the_state_was_lost_is_judged_now() -> None:
    with ValidationStage() as stage:
        offsets = stage.send([uploaded(stage), *[uploaded(stage)] * 3])
        stage.start_anew()
        stage.settle()
        first, *others = offsets
        assert stage.reasons() == {
            (3, first): ["ACCEPTED"],
            **{(3, offset): ["DUPLICATE_IGNORED"] for offset in others},
        }


def test_what_waits_in_a_savepoint_and_has_its_verdict_since_is_dropped() -> None:
    with ValidationStage() as stage:
        (offset,) = stage.send([uploaded(stage)])
        savepoint = deepcopy(stage.flink)
        stage.settle()
        stage.flink = savepoint
        stage.restart()
        stage.settle()
        assert stage.reasons() == {(3, offset): ["ACCEPTED"]}
        assert stage.flink.is_empty("parked")


def test_the_registry_is_known_before_the_first_record_is_judged() -> None:
    with ValidationStage() as stage:
        stage.restart()
        stage.send([uploaded(stage)])
        stage.settle()
        assert [verdict.reason.value for verdict in stage.verdicts] == ["ACCEPTED"]
        assert not any(name == "unused" and cell for (name, _), cell in stage.flink.cells.items())


def test_offsets_that_retention_took_without_a_verdict_are_an_event() -> None:
    with ValidationStage() as stage:
        stage.send([b"judged"])
        stage.topics["updates"] += [SourceRecord(3, offset, 0, b"alice", b"not judged") for offset in (1, 2)]
        stage._offsets[3] = 3
        stage.send([b"judged"])
        stage.first_offset = 2
        for _ in range(2):
            stage.restart()
            stage.send([b"judged"])
        gaps = [decode(event.data, InputGap) for event in stage.events if event.type == EVENT_TYPES[InputGap]]
        assert set(gaps) == {InputGap(topic="fluvial.updates", partition=3, first=1, end=2)}
        assert stage.known.starts["fluvial.updates"] == {3: 2}


def test_an_update_of_another_participants_chunks_is_refused_and_its_owners_is_not() -> None:
    with ValidationStage() as stage:
        bob = a_participant(participant="bob", public_key=OTHER_KEY.public_key)
        stage.register(bob, REGISTRAR)
        alices = uploaded(stage)
        copied = an_update(participant="bob", update_id="alice")
        (copier,) = stage.send([sealed(copied, OTHER_KEY, "bob")], key=b"bob")
        stage.settle()
        (owner,) = stage.send([alices])
        stage.settle()
        assert stage.reasons() == {(3, copier): ["CHUNK_CLAIMED"], (3, owner): ["ACCEPTED"]}
