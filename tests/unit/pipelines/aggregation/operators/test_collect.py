"""The window's operator over Flink's state in dicts: what it tells shards, rule and keeper, and what it keeps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from fluvial.wire.framing import decode, encode
from fluvial.wire.layout import chunk_partition
from fluvial.wire.records import AcceptedUpdate, AuditEvent, Outcome, Receipt, Round
from pipelines.aggregation import committed
from pipelines.aggregation.messages import Add, Begin, Closed, MeasureRound, Place, RoundFailed
from pipelines.aggregation.operators import collect
from pipelines.aggregation.operators.collect import CollectRound
from pipelines.aggregation.operators.side_outputs import TO_COMBINE, TO_KEEPER, TO_MEASURE, TO_SELECT
from pipelines.config import Settings
from pipelines.flink.keys import shard_of
from pipelines.flink.messages import pack, unpack
from tests.unit.pipelines.aggregation.builders import a_round, an_update
from tests.unit.pipelines.aggregation.committed_log import CommittedLog
from tests.unit.pipelines.flink.test_frames import read_sink_frame
from tests.unit.pipelines.flink_state import FlinkState

KRUM = '{"name": "multi_krum", "num_byzantine": 0}'
SETTINGS = Settings.model_construct(
    topic_prefix="f.", partitions=2, parallelism=1, arrival_wait_ms=500, parking_ms=3_000
)


class Window:
    """The operator, its state and a clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.flink, self.log, self.now_ms = FlinkState(), CommittedLog(), 1_000
        monkeypatch.setattr(collect, "_now_ms", lambda: self.now_ms)
        monkeypatch.setattr(committed, "acquire", lambda settings, attempt: self.log.recovery())
        monkeypatch.setattr(committed, "release", lambda settings, attempt: None)
        self.restart()

    def lose_state(self) -> None:
        self.flink = FlinkState()
        self.restart()

    def restart(self) -> None:
        self.operator = CollectRound(SETTINGS)
        self.operator.open(self.flink)

    def round(self, round_: Round) -> list[Any]:
        return self.flink.call(self.operator, "demo", pack("demo", "round", [encode(round_)]))

    def updates(self, *updates: AcceptedUpdate) -> list[Any]:
        return self.flink.call(self.operator, "demo", pack("demo", "accepted", list(map(encode, updates))))

    def at(self, now_ms: int) -> list[Any]:
        self.now_ms = now_ms
        return self.flink.fire(self.operator, now_ms)


@pytest.fixture
def window(monkeypatch: pytest.MonkeyPatch) -> Window:
    return Window(monkeypatch)


def told(out: list[Any], tag: Any) -> list[tuple[str, str, list[bytes]]]:
    """Key, kind and parts of the messages for one side output."""
    return [unpack(each[1]) for each in out if isinstance(each, tuple) and each[0] is tag]


def receipts(out: list[Any]) -> Iterator[Receipt]:
    for frame in out:
        if isinstance(frame, bytes):
            topic, _, value, _ = read_sink_frame(frame)
            assert value is not None
            if topic == "f.receipts":
                yield decode(value, Receipt)
            else:
                decode(value, AuditEvent)


def test_every_shard_adds_what_a_linear_rule_takes_in_as_it_comes(window: Window) -> None:
    begun = told(window.round(a_round()), TO_COMBINE)
    assert [(kind, Begin.of(parts)) for _, kind, parts in begun] == [("begin", Begin(encode(a_round())))] * 2
    assert len({key for key, *_ in begun}) == 2
    added = told(window.updates(an_update(1), an_update(2)), TO_COMBINE)
    assert [Add.of(parts).updates for _, _, parts in added] == [[an_update(1), an_update(2)]] * 2
    assert Add.of(added[0][2]).place == Place(1, 1)


@pytest.mark.parametrize("rule", ['{"name": "weighted_mean"}', KRUM])
def test_shards_that_have_nothing_of_a_small_model_are_told_nothing(window: Window, rule: str) -> None:
    small = a_round(rule=rule, chunk_elements=8)
    out = window.round(small) + window.updates(*(an_update(number) for number in range(3)))
    to_shards = told(out, TO_COMBINE) + told(out, TO_MEASURE)
    assert to_shards
    assert {shard_of(key) for key, *_ in to_shards} == {chunk_partition("demo", 0, SETTINGS.partitions)}


def test_a_closed_round_goes_to_the_rule_ordered_by_digest(window: Window) -> None:
    window.round(a_round(rule=KRUM))
    out = window.updates(*(an_update(number) for number in (3, 1, 2)))
    ((key, kind, parts),) = told(out, TO_SELECT)
    closed = Closed.of(parts)
    assert (key, kind, closed.updates) == ("demo/1", "closed", [an_update(number) for number in (1, 2, 3)])
    measured = [MeasureRound.of(parts) for _, _, parts in told(out, TO_MEASURE)]
    assert [asked.encoded_updates for asked in measured] == [closed.encoded_updates] * 2
    assert told(out, TO_COMBINE) == []
    assert window.flink.is_empty("admitted")


def test_a_rule_that_this_job_does_not_know_is_left_to_fail_where_rules_decide(window: Window) -> None:
    assert window.round(a_round(rule='{"name": "of-a-later-release"}')) == []
    out = window.updates(*(an_update(number) for number in range(3)))
    assert [tag for tag, _ in out] == [TO_SELECT]


def test_a_round_without_quorum_tells_the_keeper_why_and_answers_its_updates(window: Window) -> None:
    window.round(a_round())
    window.updates(an_update(1))
    assert window.at(2_600) == []
    out = window.at(4_000)
    ((key, kind, parts),) = told(out, TO_KEEPER)
    assert (key, kind) == ("demo", "failed")
    assert RoundFailed.of(parts) == RoundFailed(Place(1, 1), 1, "1 updates are less than the quorum of 2")
    assert [(receipt.update_id, receipt.outcome) for receipt in receipts(out)] == [("update-1", Outcome.ROUND_FAILED)]


def test_a_restart_changes_nothing(window: Window) -> None:
    window.updates(an_update(9))
    window.round(a_round())
    window.restart()
    assert len(told(window.updates(an_update(1)), TO_COMBINE)) == 2
    window.restart()
    ((_, _, parts),) = told(window.updates(an_update(2)), TO_SELECT)
    assert [update.update_id for update in Closed.of(parts).updates] == ["update-1", "update-2", "update-9"]


def test_a_late_update_is_answered_at_once(window: Window) -> None:
    window.round(a_round(round=2))
    out = window.updates(an_update(1))
    assert [receipt.outcome for receipt in receipts(out)] == [Outcome.LATE]


def test_an_update_that_comes_twice_counts_once(window: Window) -> None:
    """Whoever reads the log again hands on again what it does not know to be answered."""
    window.round(a_round())
    window.updates(an_update(1), an_update(1))
    assert window.updates(an_update(1)) == []
    window.restart()
    assert window.updates(an_update(1)) == []
    out = window.updates(an_update(2), an_update(3))
    ((_, _, parts),) = told(out, TO_SELECT)
    assert len(Closed.of(parts).updates) == 3
    for update in (an_update(1), an_update(3)):
        assert window.updates(update) == []
    window.restart()
    assert window.updates(an_update(2)) == []


def test_without_state_what_has_no_receipt_is_gathered_before_anything_is_decided(window: Window) -> None:
    """In any order, before and after the round, and however long it takes: the deadline waits."""
    updates = [an_update(number, source_timestamp_ms=1_900 - number) for number in range(5)]
    window.log.announce(a_round())
    window.log.accept(*updates)
    window.log.answer(updates[4], Outcome.LATE)
    window.lose_state()
    assert window.updates(updates[2]) == []
    assert window.round(a_round()) == []
    assert window.at(9_000) == []
    assert window.updates(updates[4], updates[0], updates[3]) == []
    window.restart()
    out = window.updates(updates[1])
    ((_, _, parts),) = told(out, TO_SELECT)
    assert [update.update_id for update in Closed.of(parts).updates] == ["update-1", "update-2", "update-3"]
    assert [receipt.update_id for receipt in receipts(out)] == ["update-0"]
    assert window.updates(updates[4]) == []


def test_what_does_not_come_again_is_not_waited_for_for_ever(window: Window) -> None:
    window.log.announce(a_round())
    window.log.accept(an_update(1), an_update(2), an_update(3))
    window.lose_state()
    window.round(a_round())
    window.updates(an_update(1), an_update(2))
    out = window.at(1_000 + collect.GATHERING_MS)
    assert told(out, TO_COMBINE) != []
    out = window.at(window.now_ms + 1)
    ((_, _, parts),) = told(out, TO_SELECT)
    assert len(Closed.of(parts).updates) == 2


def test_what_a_state_holds_that_is_older_than_the_log_is_not_answered_twice(window: Window) -> None:
    window.round(a_round(target=9))
    window.updates(an_update(1), an_update(2), an_update(3), an_update(4, round=2))
    window.log.answer(an_update(1), Outcome.INCLUDED)
    window.log.answer(an_update(4, round=2), Outcome.LATE)
    window.restart()
    assert window.at(2_600) == []
    out = window.at(4_000)
    ((_, _, parts),) = told(out, TO_SELECT)
    assert [update.update_id for update in Closed.of(parts).updates] == ["update-2", "update-3"]
    assert window.flink.is_empty("held")
