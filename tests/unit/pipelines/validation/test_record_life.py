"""The life of a record, line by line of its table."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from fluvial.wire.records import Reason
from governance.admission import gate
from pipelines.flink.frames import SourceRecord
from pipelines.validation.contests import Room
from pipelines.validation.record_life import LOOK_MS, Lane
from pipelines.validation.unheard import MAX_UNHEARD, RETRY_MS
from pipelines.validation.waiting import Waiting
from tests.unit.pipelines.validation.desk import PARKING_MS, TestedDesk, a_record, a_verdict, needs_of, parked


def test_what_the_gate_decides_has_its_verdict_at_once() -> None:
    desk = TestedDesk()
    desk.judgements[a_record(1).value] = gate.Refused(verdict=a_verdict(Reason.SIGNATURE))
    desk.lane.arrive([a_record(1)], 0)
    assert desk.outcomes == [(1, "SIGNATURE")]
    assert (desk.kept, desk.lane.next_look_ms(0)) == ({}, None)


def test_a_record_waits_for_its_evidence_and_is_judged_again_when_it_is_there() -> None:
    desk, record = TestedDesk(), a_record(1)
    desk.lane.arrive([record], 0)
    assert (len(desk.kept), desk.lane.next_look_ms(3)) == (1, LOOK_MS)
    desk.lane.look(10)
    assert (desk.outcomes, desk.num_judged) == ([], 1)
    desk.evidence[0].find(record)
    desk.lane.look(20)
    assert (desk.outcomes, desk.num_judged) == ([(1, "ACCEPTED")], 2)
    assert (desk.kept, desk.lane.next_look_ms(20)) == ({}, None)


def test_evidence_that_is_there_at_once_needs_no_wait() -> None:
    desk, record = TestedDesk(), a_record(1)
    desk.evidence[0].find(record)
    desk.lane.arrive([record], 0)
    assert (desk.outcomes, desk.num_judged) == ([(1, "ACCEPTED")], 1)


def test_evidence_in_hand_is_told_without_a_check_or_any_state() -> None:
    desk = TestedDesk(room=1)
    others, good, bad = a_record(0, key=b"a"), a_record(1, key=b"b"), a_record(2, key=b"c")
    desk.lane.arrive([others], 0)
    desk.evidence[0].hand(good)
    desk.evidence[0].hand(bad, fault=Reason.NON_FINITE)
    desk.lane.arrive([good, bad], 0)
    assert desk.outcomes == [(1, "ACCEPTED"), (2, "NON_FINITE")]
    assert desk.num_judged == 3
    assert len(desk.kept) == len(desk.evidence[0].submitted) == 1


def test_evidence_in_hand_overtakes_nobody_of_its_contest() -> None:
    desk = TestedDesk()
    first, second, third = (a_record(offset) for offset in range(3))
    desk.evidence[0].hand(second, third)
    desk.lane.arrive([first, second], 0)
    desk.lane.arrive([third], 0)
    assert (desk.outcomes, len(desk.kept)) == ([], 3)
    desk.evidence[0].find(first, fault=Reason.NON_FINITE)
    desk.lane.look(10)
    assert desk.outcomes == [(0, "NON_FINITE"), (1, "ACCEPTED"), (2, "DUPLICATE_IGNORED")]
    assert (desk.kept, desk.lane.next_look_ms(10)) == ({}, None)


def test_where_a_second_kind_has_to_be_gathered_the_record_waits_for_it() -> None:
    desk, record = TestedDesk(num_kinds=2), a_record(1)
    content, score = desk.evidence
    content.hand(record)
    desk.lane.arrive([record], 0)
    assert (desk.outcomes, len(desk.kept), len(score.submitted)) == ([], 1, 1)
    score.find(record)
    desk.lane.look(10)
    assert (desk.outcomes, desk.kept) == ([(1, "ACCEPTED")], {})


def test_kinds_of_evidence_are_asked_in_turn_and_the_first_against_it_decides() -> None:
    desk = TestedDesk(num_kinds=2)
    content, score = desk.evidence
    good, bad, worse = (a_record(offset, key=key) for offset, key in ((1, b"a"), (2, b"b"), (3, b"c")))
    desk.lane.arrive([good, bad, worse], 0)
    assert (len(content.submitted), len(score.submitted)) == (3, 0)
    content.find(good, bad)
    content.find(worse, fault=Reason.NON_FINITE)
    desk.lane.look(10)
    assert desk.outcomes == [(3, "NON_FINITE")]
    assert [offset for _, _, offset in score.submitted] == [1, 2]
    score.find(good)
    score.find(bad, fault=Reason.NORM_EXCEEDED)
    desk.lane.look(20)
    assert desk.outcomes[1:] == [(1, "ACCEPTED"), (2, "NORM_EXCEEDED")]
    assert not content.under_way
    assert not score.under_way


def test_of_a_contest_one_is_under_check_and_the_others_follow_its_verdict() -> None:
    desk = TestedDesk()
    records = [a_record(offset) for offset in range(100)]
    desk.lane.arrive(records, 0)
    assert len(desk.evidence[0].submitted) == 1
    assert len(desk.kept) == 100
    desk.evidence[0].find(records[0])
    desk.lane.look(10)
    assert desk.outcomes == [(0, "ACCEPTED"), *((offset, "DUPLICATE_IGNORED") for offset in range(1, 100))]
    assert (desk.kept, desk.lane.next_look_ms(10)) == ({}, None)


def test_after_a_failure_the_next_of_the_contest_has_its_turn_in_the_order_of_arrival() -> None:
    desk = TestedDesk()
    records = [a_record(offset) for offset in range(5)]
    desk.lane.arrive(records[:3], 0)
    for number, record in enumerate(records):
        assert [offset for _, _, offset in desk.evidence[0].submitted] == list(range(number + 1))
        desk.evidence[0].find(record, fault=Reason.INCOMPLETE)
        desk.lane.look(10 * number)
        if number == 0:
            desk.lane.arrive(records[3:], 5)
    assert desk.outcomes == [(offset, "INCOMPLETE") for offset in range(5)]


def test_a_long_queue_is_judged_in_slices() -> None:
    desk = TestedDesk()
    records = [a_record(offset) for offset in range(1_200)]
    desk.lane.arrive(records, 0)
    desk.evidence[0].find(records[0])
    looks, now_ms = 0, 10
    while now_ms is not None:
        before = len(desk.outcomes)
        desk.lane.look(now_ms)
        assert len(desk.outcomes) - before < 600
        looks, now_ms = looks + 1, desk.lane.next_look_ms(now_ms)
    assert (looks, len(desk.outcomes)) == (3, 1_200)


def test_beyond_the_room_records_wait_and_nothing_is_lost() -> None:
    desk = TestedDesk(room=8)
    records = [a_record(offset, key=b"p%d" % offset) for offset in range(6)]
    desk.lane.arrive(records, 0)
    assert len(desk.evidence[0].under_way) == 2
    assert desk.lane.next_look_ms(0) == LOOK_MS
    now_ms = 0
    while desk.kept:
        desk.evidence[0].find(*records)
        assert len(desk.evidence[0].under_way) <= 2
        now_ms += LOOK_MS
        desk.lane.look(now_ms)
    assert sorted(desk.outcomes) == [(offset, "ACCEPTED") for offset in range(6)]


def test_room_that_another_lane_gives_back_is_found() -> None:
    desk, room = TestedDesk(), Room(4)
    desk.lane = Lane(desk, desk.evidence, room, lambda now_ms: now_ms + PARKING_MS)
    room.take(4)
    desk.lane.arrive([a_record(1)], 0)
    assert (desk.evidence[0].submitted, desk.lane.next_look_ms(0)) == ([], RETRY_MS)
    room.give_back(4)
    desk.lane.look(RETRY_MS)
    assert len(desk.evidence[0].submitted) == 1


def test_a_record_larger_than_the_room_is_checked_alone() -> None:
    desk = TestedDesk(room=1)
    desk.lane.arrive([a_record(1)], 0)
    assert len(desk.evidence[0].under_way) == 1


def test_a_record_may_turn_while_its_evidence_is_gathered() -> None:
    desk = TestedDesk()
    stale, unheard, follower = a_record(1, key=b"a"), a_record(2, key=b"b"), a_record(3, key=b"b")
    desk.lane.arrive([stale, unheard, follower], 0)
    desk.judgements[stale.value] = gate.Refused(verdict=a_verdict(Reason.STALE_ROUND))
    desk.judgements[unheard.value] = parked(Reason.AGREEMENT)
    desk.evidence[0].find(stale, unheard)
    desk.lane.look(10)
    assert desk.outcomes == [(1, "STALE_ROUND")]
    assert len(desk.kept) == 2
    assert [place[2] for place in desk.evidence[0].under_way] == [3]


def test_an_unheard_record_is_judged_again_when_something_has_become_known() -> None:
    desk, record = TestedDesk(), a_record(1)
    desk.judgements[record.value] = parked()
    desk.lane.arrive([record], 0)
    now_ms, looks = 0, 0
    while now_ms < PARKING_MS - 1_000:
        now_ms = desk.lane.next_look_ms(now_ms) or 0
        desk.lane.look(now_ms)
        looks += 1
    assert (desk.num_judged, looks) == (1, 12)
    desk.known += 1
    del desk.judgements[record.value]
    desk.lane.look(desk.lane.next_look_ms(now_ms) or 0)
    assert len(desk.evidence[0].submitted) == 1


def test_an_unheard_record_is_refused_when_its_time_is_over() -> None:
    desk, record = TestedDesk(), a_record(1)
    desk.judgements[record.value] = parked()
    desk.lane.arrive([record], 0)
    now_ms: int | None = 0
    while now_ms is not None:
        assert desk.outcomes == []
        desk.lane.look(now_ms)
        last_ms, now_ms = now_ms, desk.lane.next_look_ms(now_ms)
    assert (last_ms, desk.outcomes, desk.num_judged) == (PARKING_MS, [(1, "ROUND_UNKNOWN")], 2)
    assert desk.kept == {}


def test_one_name_cannot_wait_without_end() -> None:
    desk = TestedDesk()
    records = [a_record(offset) for offset in range(MAX_UNHEARD + 2)]
    for record in records:
        desk.judgements[record.value] = parked()
    desk.lane.arrive(records, 0)
    assert desk.outcomes == [(MAX_UNHEARD, "ROUND_UNKNOWN"), (MAX_UNHEARD + 1, "ROUND_UNKNOWN")]


def test_many_names_that_nobody_knows_cannot_either() -> None:
    desk = TestedDesk()
    records = [a_record(offset, key=b"n%d" % offset, value=b"%01000000d" % offset) for offset in range(6)]
    for record in records[:5]:
        desk.judgements[record.value] = parked(Reason.KEY_UNKNOWN)
    desk.judgements[records[5].value] = parked(Reason.ROUND_UNKNOWN)
    desk.lane.arrive(records, 0)
    assert desk.outcomes == [(4, "KEY_UNKNOWN")]
    desk.lane.look(PARKING_MS)
    assert len(desk.outcomes) == 6


def test_what_waits_is_judged_before_what_comes_from_the_same_key() -> None:
    desk, records = TestedDesk(), [a_record(offset) for offset in range(3)]
    for record in records[:2]:
        desk.judgements[record.value] = parked()
    desk.lane.arrive(records[:2], 0)
    desk.judgements.clear()
    desk.known += 1
    desk.lane.arrive(records[2:], 5)
    assert [place[2] for place in desk.evidence[0].submitted] == [0]
    desk.evidence[0].find(records[0])
    desk.lane.look(10)
    assert desk.outcomes == [(0, "ACCEPTED"), (1, "DUPLICATE_IGNORED"), (2, "DUPLICATE_IGNORED")]


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1]])
def test_after_a_restart_all_are_looked_at_before_anything_new_in_their_order(order: list[int]) -> None:
    desk, records = TestedDesk(), [a_record(offset) for offset in range(4)]
    desk.lane.arrive(records[:3], 0)
    again = TestedDesk()
    again.kept = dict(desk.kept)
    again.lane.restore(Waiting.load(list(desk.kept.values())[number]) for number in order)
    assert again.lane.next_look_ms(50) == 0
    again.lane.arrive(records[3:], 50)
    assert [place[2] for place in again.evidence[0].submitted] == [0]
    again.evidence[0].find(records[0])
    again.lane.look(60)
    assert again.outcomes == [(0, "ACCEPTED"), *((offset, "DUPLICATE_IGNORED") for offset in (1, 2, 3))]
    assert again.kept == {}


def test_rounds_of_one_participant_do_not_wait_for_each_other() -> None:
    desk, first, second = TestedDesk(), a_record(1), a_record(2)
    desk.judgements[second.value] = needs_of(second, round_=4)
    desk.lane.arrive([first, second], 0)
    assert len(desk.evidence[0].submitted) == 2


def test_what_becomes_known_while_a_record_is_judged_is_not_missed() -> None:
    """Another subtask hears of it: for this judgement it came too late."""
    desk, record = TestedDesk(), a_record(1)
    desk.judgements[record.value] = parked()
    judge = desk.judge

    def overtaken(records: Sequence[SourceRecord]) -> Iterator[Any]:
        for judgement in judge(records):
            desk.known += 1
            desk.judge = judge  # type: ignore[method-assign]
            yield judgement

    desk.judge = overtaken  # type: ignore[method-assign]
    desk.lane.arrive([record], 0)
    del desk.judgements[record.value]
    desk.lane.look(RETRY_MS)
    assert len(desk.evidence[0].submitted) == 1


def test_a_record_is_not_refused_before_the_log_was_asked_for_what_it_lacks() -> None:
    desk, record = TestedDesk(), a_record(1)
    desk.heard_ms = 0
    desk.judgements[record.value] = parked()
    desk.lane.arrive([record], 0)
    for now_ms in (PARKING_MS, PARKING_MS + RETRY_MS, 10 * PARKING_MS):
        desk.lane.look(now_ms)
        assert desk.outcomes == []
        assert desk.lane.next_look_ms(now_ms) == now_ms + RETRY_MS
    assert desk.num_judged == 1
    desk.heard_ms = 1
    desk.lane.look(11 * PARKING_MS)
    assert desk.outcomes == [(1, "ROUND_UNKNOWN")]
    assert desk.kept == {}
