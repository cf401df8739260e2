"""Validate over dict-backed state: one verdict for every record, whatever waits for whatever."""

from dataclasses import replace

from governance.admission.replay import MAX_FAILURES
from pipelines.validation.accepted_records import REPEATED_ROUNDS
from pipelines.validation.unheard import MAX_UNHEARD
from tests.unit.governance.admission.builders import a_round, an_update, chunks_of, references, sealed
from tests.unit.pipelines.validation.stage import ValidationStage, uploaded


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
