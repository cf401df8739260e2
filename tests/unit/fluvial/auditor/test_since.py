"""An audit that goes on from a checkpoint finds whatever is wrong behind it, and passes over what lies before."""

from __future__ import annotations

import pytest

from fluvial.auditor.report import Report
from fluvial.auditor.verify import verify
from fluvial.wire.records import Decision, Reason
from tests.unit.fluvial.auditor.world import World, honest_world

DAY_MS = 86_400_000


def two_days() -> tuple[World, bytes]:
    """A federation that was audited, and one more round three days later. The note that the audit ended with."""
    world = honest_world()
    report = verify(world, world.federation, now_ms=world.now_ms)
    assert report.verified
    world.now_ms += 3 * DAY_MS
    world.open_round(3)
    updates = {name: world.update(name, 3, partition=number) for number, name in enumerate(("anna", "ben"))}
    for name, record in updates.items():
        world.judge(record, name, 3)
    world.publish(3, updates)
    for name in updates:
        world.answer(name, 3)
    world.sequence()
    world.sign()
    return world, report.checkpoint.encode()


def audited(world: World, since: bytes) -> Report:
    return verify(world, world.federation, now_ms=world.now_ms, since=since)


def test_what_came_since_is_looked_at_and_counted() -> None:
    world, note = two_days()
    report = audited(world, note)
    assert report.verified, report.problems
    assert report.since == 12
    assert (report.inputs[world.topics.updates].total, report.inputs[world.topics.updates].matched) == (2, 2)
    assert report.copies["receipts"].matched == 2
    assert report.models.matched == 2  # version 0 has no leaf
    assert report.size == report.signed_size > 12


def test_what_lies_before_is_passed_over() -> None:
    world, note = two_days()
    world.replace_value(world.topics.updates, 0, b"changed since")
    assert not verify(world, world.federation, now_ms=world.now_ms).verified
    assert audited(world, note).verified


@pytest.mark.parametrize("topic", ["updates", "verdicts", "receipts", "models"])
def test_what_is_wrong_behind_it_is_found(topic: str) -> None:
    world, note = two_days()
    name = getattr(world.topics, topic)
    world.kept[name].pop()
    assert not audited(world, note).verified


def test_a_leaf_before_it_cannot_be_changed_either() -> None:
    world, note = two_days()
    leaf = world.kept[world.topics.audit][3]
    world.replace_value(world.topics.audit, 3, (leaf.value or b"")[:-1] + b"\x00")
    assert not audited(world, note).verified


def test_what_was_too_new_then_must_be_judged_now() -> None:
    """Nobody hides a record behind an audit that found it too new."""
    world = honest_world()
    world.update("anna", 3, partition=0)
    report = verify(world, world.federation, now_ms=world.now_ms)
    assert report.verified
    assert report.num_pending == 1
    world.now_ms += 3 * DAY_MS
    junk = world.append(world.topics.updates, b"junk", b"mallory", partition=1)
    world.judge(junk, "mallory", 0, Decision.REJECT)
    world.sequence()
    world.sign()
    found = audited(world, report.checkpoint.encode())
    assert any("has no verdict" in problem.message for problem in found.problems)


def test_a_censored_update_behind_it_is_found() -> None:
    world, note = two_days()
    record = world.update("anna", 4)
    world.judge(record, "anna", 0, Decision.REJECT, reason=Reason.SIGNATURE)
    world.sequence()
    world.sign()
    assert any("though a key of anna signed it" in each.message for each in audited(world, note).problems)


def test_of_another_log_it_is_no_beginning() -> None:
    world, _ = two_days()
    other = honest_world()
    other.keys["log"] = world.keys["log"]
    for name in ("anna", "ben"):
        other.update(name, 3)
    found = audited(world, other.sign())
    assert not found.verified
    assert found.since == 0
