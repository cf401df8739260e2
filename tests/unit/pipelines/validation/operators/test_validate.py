"""Validate over dict-backed state: one verdict for every record, whatever waits for whatever."""

from pipelines.validation import logic
from tests.unit.governance.admission.builders import an_update, sealed
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
        first, *others = stage.send([raw] * (logic.MAX_PARKED + 36))
        stage.settle()
        assert stage.reasons() == {
            (3, first): ["ACCEPTED"],
            **{(3, offset): ["DUPLICATE_IGNORED"] for offset in others},
        }
        assert [one.source_offset for one in stage.accepted] == [first]
        assert sorted(stage.log.reads) == sorted(stage.log.chunks)


def test_copies_of_what_cannot_be_read_are_each_refused() -> None:
    with ValidationStage() as stage:
        offsets = stage.send([sealed(an_update())] * 5)
        stage.settle()
        assert stage.reasons() == {(3, offset): ["INCOMPLETE"] for offset in offsets}


def test_after_a_restart_all_that_waited_is_judged_once() -> None:
    with ValidationStage() as stage:
        first, *others = stage.send([uploaded(stage)] * 70)
        stage.restart()
        stage.settle()
        assert stage.reasons() == {
            (3, first): ["ACCEPTED"],
            **{(3, offset): ["DUPLICATE_IGNORED"] for offset in others},
        }
