"""An audit that goes on from what the one before it has kept finds what that one would, and reads only what is new."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from fluvial.auditor.kept_log import KeptLog
from fluvial.auditor.reader import TopicRecord
from fluvial.auditor.report import Report
from fluvial.auditor.verify import verify
from fluvial.wire.errors import VerificationError
from fluvial.wire.framing import decode, encode
from fluvial.wire.records import Decision, Reason, SequencedEvent
from tests.unit.fluvial.auditor.world import World, honest_world

DAY_MS = 86_400_000


def audited(world: World, file: Path) -> Report:
    with KeptLog(file, world.federation) as kept:
        return verify(world, world.federation, now_ms=world.now_ms, kept=kept)


def another_round(world: World, number: int) -> None:
    """Three days later."""
    world.now_ms += 3 * DAY_MS
    world.open_round(number)
    updates = {name: world.update(name, number, partition=at) for at, name in enumerate(("anna", "ben"))}
    for name, record in updates.items():
        world.judge(record, name, number)
    world.publish(number, updates)
    for name in updates:
        world.answer(name, number)
    world.sequence()
    world.sign()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "audit.state"


@pytest.fixture
def world(file: Path) -> World:
    """A federation that was audited."""
    federation = honest_world()
    report = audited(federation, file)
    assert report.verified
    assert report.since == 0
    return federation


class Counted:
    """A world, and the offsets that were read of its log."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.read: list[int] = []

    def begin_offsets(self, topic: str) -> Mapping[int, int]:
        return self.world.begin_offsets(topic)

    def records(self, topic: str, since_ms: int = 0) -> Iterator[TopicRecord]:
        for record in self.world.records(topic, since_ms):
            if topic == self.world.topics.audit:
                self.read.append(record.offset)
            yield record


def test_only_what_has_come_since_is_read_of_the_log(world: World, file: Path) -> None:
    known = len(world.kept[world.topics.audit])
    another_round(world, 3)
    counted = Counted(world)
    with KeptLog(file, world.federation) as kept:
        report = verify(counted, world.federation, now_ms=world.now_ms, kept=kept)
    assert report.verified, report.problems
    assert (report.since, report.size) == (known, len(world.kept[world.topics.audit]))
    # The last one known has the broker time from which on is asked.
    assert counted.read == [record.offset for record in world.kept[world.topics.audit][known - 1 :]]


def test_it_says_what_an_audit_of_everything_says_of_the_log(world: World, file: Path) -> None:
    for number in (3, 4, 5):
        another_round(world, number)
        kept, whole = audited(world, file), verify(world, world.federation, now_ms=world.now_ms)
        assert kept.verified, kept.problems
        assert (kept.size, kept.root, kept.checkpoint) == (whole.size, whole.root, whole.checkpoint)
        assert kept.copies["receipts"].matched == 2


def test_leaves_that_nobody_has_signed_are_read_again(world: World, file: Path) -> None:
    signed = len(world.kept[world.topics.audit])
    world.open_round(3)
    world.sequence()
    for _ in range(2):
        report = audited(world, file)
        assert report.verified, report.problems
        assert (report.since, report.size, report.signed_size) == (signed, signed + 1, signed)


@pytest.mark.parametrize("topic", ["updates", "verdicts", "receipts", "models"])
def test_what_is_wrong_behind_it_is_found_and_then_nothing_is_kept(world: World, file: Path, topic: str) -> None:
    another_round(world, 3)
    kept = world.kept[getattr(world.topics, topic)]
    taken = kept.pop()
    before = file.read_bytes()
    assert not audited(world, file).verified
    assert file.read_bytes() == before
    kept.append(taken)
    assert audited(world, file).verified


def test_an_update_that_is_a_copy_of_one_before_it_is_known_as_such(world: World, file: Path) -> None:
    old = world.kept[world.topics.updates][0]
    another_round(world, 3)
    repeat = world.append(world.topics.updates, old.value or b"", old.key or b"")
    world.judge(repeat, "anna", 1, Decision.DUPLICATE, reason=Reason.DUPLICATE_IGNORED)
    world.sequence()
    world.sign()
    report = audited(world, file)
    assert report.verified, report.problems


def test_a_log_that_was_rolled_back_is_refused(world: World, file: Path) -> None:
    another_round(world, 3)
    assert audited(world, file).verified
    for topic in (world.topics.audit, world.topics.checkpoints):
        world.kept[topic].pop()
    report = audited(world, file)
    assert any("leaves" in problem.message for problem in report.problems)


def test_two_records_that_continue_what_is_kept_are_told_apart_by_the_signed_root(world: World, file: Path) -> None:
    """The file is of no use then, and everything is read."""
    known = len(world.kept[world.topics.audit])
    another_round(world, 3)
    leaves = world.kept[world.topics.audit]
    genuine = decode(leaves[known].value or b"", SequencedEvent)
    rival = encode(replace(genuine, event=replace(genuine.event, time_ms=genuine.event.time_ms + 1)))
    leaves.insert(known, leaves[known]._replace(offset=leaves[known].offset - 1, value=rival))
    report = audited(world, file)
    assert report.verified, report.problems
    assert report.since == 0


@pytest.mark.parametrize("what", ["file", "sum", "other file", "other federation"])
def test_what_no_audit_has_kept_is_not_believed(world: World, file: Path, what: str) -> None:
    federation = world.federation
    match what:
        case "file":
            data = bytearray(file.read_bytes())
            data[len(data) // 2] ^= 1
            file.write_bytes(data)
        case "sum":
            file.with_name(file.name + ".sha256").unlink()
        case "other file":
            file.write_bytes(b"nothing of the kind" * 100)
        case _:
            federation = replace(federation, federation_id="f" * 32)
    with pytest.raises(VerificationError, match=str(file)):
        KeptLog(file, federation)


def test_nobody_else_may_read_it(world: World, file: Path) -> None:
    assert file.stat().st_mode & 0o077 == 0


def test_two_audits_do_not_use_it_at_once(world: World, file: Path) -> None:
    with KeptLog(file, world.federation) as first:
        with pytest.raises(OSError, match="locked"):
            KeptLog(file, world.federation)
        assert first.checkpoint is not None
