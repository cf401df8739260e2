"""The ledger: numbers from the topics."""

from __future__ import annotations

from deploy.demo.ledger import Ledger
from fluvial.wire.records import Outcome, Reason, RoundStatus
from tests.unit.deploy.demo.records import (
    TASK,
    UPDATES,
    contribution,
    manifest,
    receipt,
    release,
    round_,
    verdict,
)


def ledger() -> Ledger:
    return Ledger(task=TASK, updates_topic=UPDATES)


def test_a_round_is_counted_from_its_manifest_receipts_and_verdicts() -> None:
    book = ledger()
    book.add(round_(1), 1000)
    for offset, name in enumerate("abcd"):
        book.add(verdict(offset, participant=name, update_id=f"update-of-{name}"), 1600)
    book.add(manifest(1, (contribution("a"), contribution("b"), contribution("c", selected=False))), 2000)
    book.add(receipt(3, Outcome.LATE, participant="d", version=0), 2000)
    book.add(release(1, accuracy=0.5, loss=1.5), 2100)
    (row,) = book.rows()
    assert (row.accepted, row.excluded, row.late, row.rejected) == (3, 1, 1, {})
    assert row.metrics == {"accuracy": 0.5, "loss": 1.5}


def test_a_refused_envelope_counts_in_the_round_that_was_open_when_it_came() -> None:
    """1000: round 1 opens       2000: round 2 opens
    500 ┴─────────── 1500 ────────────────── 2500
     │                │                       │        all refused, none of them says its round"""
    book = ledger()
    for number in (1, 2):
        book.add(round_(number), 0)
    for offset, at in enumerate((500, 1500, 2500)):
        book.add(verdict(offset, Reason.KEY_UNKNOWN, source_timestamp_ms=at), at)
    assert [row.rejected for row in book.rows()] == [{"KEY_UNKNOWN": 2}, {"KEY_UNKNOWN": 1}]


def test_a_stale_envelope_counts_where_it_came_not_where_it_says() -> None:
    book = ledger()
    for number in (1, 2):
        book.add(round_(number), 0)
    book.add(verdict(0, Reason.STALE_ROUND, round=1, source_timestamp_ms=2500), 2500)
    assert [row.rejected for row in book.rows()] == [{}, {"STALE_ROUND": 1}]


def test_a_round_still_open_counts_what_validation_has_accepted() -> None:
    book = ledger()
    book.add(round_(1), 1000)
    book.add(verdict(0), 1600)
    book.add(verdict(1, participant="b"), 1600)
    (row,) = book.rows()
    assert (row.accepted, row.metrics) == (2, {})


def test_repeats_change_nothing() -> None:
    book = ledger()
    for _ in range(2):
        book.add(round_(1), 1000)
        news = book.add(verdict(0), 1600)
    assert not news
    assert book.rows()[0].accepted == 1


def test_a_reopened_round_is_one_row_with_its_attempt() -> None:
    book = ledger()
    book.add(round_(1), 0)
    book.add(round_(1, attempt=2, opened_ms=9000), 0)
    (row,) = book.rows()
    assert (row.round, row.attempt) == (1, 2)


def test_verdicts_on_enrolments_are_none_on_updates() -> None:
    book = ledger()
    assert not book.add(verdict(0, source_topic="fluvial.enrolments"), 0)
    assert book.verdicts == {}


def test_other_tasks_are_not_counted() -> None:
    book = ledger()
    assert not book.add(round_(1, task="heart"), 0)
    assert not book.add(release(1, accuracy=1.0).__class__.from_avro({**release(1).to_avro(), "task": "heart"}), 0)
    assert book.rows() == []


def test_settled_means_that_nothing_is_open() -> None:
    book = ledger()
    book.add(round_(1), 0)
    book.add(manifest(0, round=0), 0)
    book.add(manifest(1), 3000)
    book.add_update((0, 0), None)
    book.add(round_(1, status=RoundStatus.FINISHED, base_version=1), 0)
    assert not book.settled, "the update has no verdict"
    book.add(verdict(0), 0)
    assert not book.settled, "the accepted update has no receipt"
    book.add(receipt(0), 0)
    book.add(release(0, accuracy=0.1), 0)
    assert not book.settled, "version 1 is not measured"
    book.add(release(1, accuracy=0.9), 0)
    assert book.settled
    assert [row.round for row in book.rows()] == [1], "the end of the task is not a round"


def test_the_time_of_the_rounds_ends_with_the_last_model() -> None:
    book = ledger()
    assert book.rounds_seconds() == 0
    book.add(round_(1), 0)
    book.add(manifest(0, round=0), 500)
    assert book.rounds_seconds() == 0
    book.add(manifest(1), 4000)
    assert book.rounds_seconds() == 3.0
