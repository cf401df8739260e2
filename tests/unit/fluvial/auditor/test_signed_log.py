"""The log alone, in bounded memory, from where it was verified last."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from dataclasses import replace

from fluvial.auditor.reader import TopicRecord
from fluvial.auditor.signed_log import LogReport, verify_signed_log
from fluvial.identity.keys import SigningKey
from fluvial.transparency.note import NoteKey
from fluvial.transparency.signed_leaves import Proven
from fluvial.wire.framing import decode, encode
from fluvial.wire.records import SequencedEvent
from tests.benchmarks import million_leaves
from tests.unit.fluvial.auditor.world import World, honest_world


def verified(world: World, proven: Proven | None = None) -> tuple[LogReport, Proven]:
    proven = proven or Proven()
    notes = [record.value or b"" for record in world.records(world.topics.checkpoints)]
    records = [record for record in world.records(world.topics.audit) if record.offset >= proven.offset]
    return verify_signed_log(notes, records, world.log_key, proven)


def test_an_honest_log_is_verified_and_the_next_time_goes_on_from_there() -> None:
    world = honest_world()
    report, proven = verified(world)
    assert (report.verified, report.first, report.size) == (True, 0, world.signer_state.tree.size)
    assert report.events["org.fluvial.verdict.v1"] == 6
    world.open_round(3)
    world.sequence()
    world.sign()
    later, _ = verified(world, Proven.load(proven.dump()))
    assert (later.verified, later.first, later.size) == (True, report.size, report.size + 1)
    assert later.events == {"org.fluvial.round.v1": 1}


def test_leaves_that_nothing_signs_yet_are_told_and_are_no_problem() -> None:
    world = honest_world()
    world.open_round(3)
    world.sequence()
    report, _ = verified(world)
    assert (report.verified, report.num_unsigned) == (True, 1)


def test_a_changed_leaf_is_found_and_what_was_proven_stands() -> None:
    world = honest_world()
    _, before = verified(world)
    size = before.end.size
    world.open_round(3)
    world.open_round(4)
    world.sequence()
    world.sign()
    leaf = decode(world.kept[world.topics.audit][size].value or b"", SequencedEvent)
    forged = replace(leaf, event=replace(leaf.event, time_ms=0))
    world.replace_value(world.topics.audit, size, encode(forged))
    report, after = verified(world, before)
    assert not report.verified
    assert f"{size + 2} leaves were signed" in report.problems[0].message
    assert after == before


def test_an_event_that_is_called_otherwise_than_its_data_is_found() -> None:
    world = honest_world()
    world.open_round(3)
    world.events[-1] = replace(world.events[-1], id="round/another")
    world.sequence()
    world.sign()
    report, _ = verified(world)
    assert "is called round/another" in report.problems[0].message


def test_a_fork_is_found() -> None:
    world, other = honest_world(), honest_world()
    other.keys = world.keys
    other.open_round(9)
    world.open_round(3)
    for each in (world, other):
        each.sequence()
    world.sign()
    world.append(world.topics.checkpoints, other.sign())
    report, _ = verified(world)
    assert "forked" in report.problems[0].message


def test_a_log_of_eight_times_the_leaves_takes_no_more_memory_and_goes_on_from_any_checkpoint() -> None:
    key = SigningKey.from_seed(bytes(32))
    log_key = NoteKey(name=million_leaves.NAME, public_key=key.public_key)
    peaks = []
    for count in (250, 2_000):
        notes, root = million_leaves.signed(count, key, between=25)
        tracemalloc.start()
        report, proven = verify_signed_log(iter(notes[:-1]), million_leaves.records(count - 25), log_key, Proven())
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert (report.verified, report.size) == (True, count - 25)
        peaks.append(peak)
        rest: Iterator[TopicRecord] = million_leaves.records(count, first=proven.offset)
        later, proven = verify_signed_log(iter(notes), rest, log_key, Proven.load(proven.dump()))
        assert (later.verified, later.first, later.size, later.root) == (True, count - 25, count, root.hex())
    # A root for each checkpoint is kept until it is reached; of 1,750 further leaves nothing is.
    assert peaks[1] < peaks[0] + 70 * 400
