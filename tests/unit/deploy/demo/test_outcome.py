"""What became of each participant, in words."""

from __future__ import annotations

from deploy.demo.cast import Member, Role
from deploy.demo.ledger import Ledger
from deploy.demo.outcome import breaches, outcomes
from deploy.demo.reports import Sent, Stuck
from fluvial.wire.records import Outcome, Reason
from tests.unit.deploy.demo.records import TASK, UPDATES, receipt, verdict


def member(role: Role, name: str = "a") -> Member:
    return Member(name=name, role=role, group=0)


def sent(offset: int, round_: int = 1, kind: str = "own", num_uploaded: int = 6) -> Sent:
    return Sent(member="a", kind=kind, round=round_, partition=0, offset=offset, num_uploaded=num_uploaded)


def told(role: Role, ledger: Ledger, reports: list[Sent], stuck: dict[str, Stuck] | None = None) -> str:
    (outcome,) = outcomes([member(role)], ledger, reports, stuck or {})
    return outcome.outcome


def test_an_honest_participant() -> None:
    book = Ledger(task=TASK, updates_topic=UPDATES)
    for offset, outcome in enumerate((Outcome.INCLUDED, Outcome.INCLUDED, Outcome.LATE)):
        book.add(verdict(offset), 0)
        book.add(receipt(offset, outcome, round=offset + 1), 0)
    assert told(Role.HONEST, book, [sent(0), sent(1), sent(2)]) == "3 updates: 2 included, 1 late"


def test_a_poisoner_that_the_rule_leaves_out_or_a_check_refuses() -> None:
    book = Ledger(task=TASK, updates_topic=UPDATES)
    book.add(verdict(0), 0)
    book.add(receipt(0, Outcome.EXCLUDED), 0)
    book.add(verdict(1, Reason.NORM_EXCEEDED), 0)
    expected = "2 updates: 1 accepted, then left out by the rule, refused: 1 NORM_EXCEEDED"
    assert told(Role.POISONER, book, [sent(0), sent(1)]) == expected


def test_a_forger_is_known_by_where_its_records_lie() -> None:
    book = Ledger(task=TASK, updates_topic=UPDATES)
    book.add(verdict(0, Reason.KEY_UNKNOWN, participant="a"), 0)
    book.add(verdict(1, Reason.SIGNATURE, participant="somebody else"), 0)
    reports = [sent(0, kind="forgery"), sent(1, kind="forgery")]
    assert told(Role.FORGER, book, reports) == "2 of 2 forgeries refused: 1 KEY_UNKNOWN, 1 SIGNATURE"


def test_an_attack_that_succeeds_is_not_hidden() -> None:
    book = Ledger(task=TASK, updates_topic=UPDATES)
    book.add(verdict(0), 0)
    assert "1 of 1 replays ACCEPTED" in told(Role.REPLAYER, book, [sent(0, kind="replay")])
    assert breaches(book, [sent(0, kind="replay")]) == ["a replay by a in round 1 was accepted"]
    assert breaches(book, [sent(0)]) == []


def test_one_that_disappears_and_comes_back() -> None:
    book = Ledger(task=TASK, updates_topic=UPDATES)
    stuck = {"a": Stuck(member="a", round=2, num_acknowledged=3, num_chunks=6)}
    text = told(Role.VANISHING, book, [sent(0), sent(1, round_=2, num_uploaded=3)], stuck)
    assert text.startswith("killed in round 2 after 3 of 6 chunks, came back and sent the other 3")
    assert "too late" in told(Role.VANISHING, book, [sent(0)], stuck)
