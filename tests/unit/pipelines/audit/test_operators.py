"""Sequencer and signer go on from the log, whatever became of their state, and no record stops them."""

from dataclasses import replace
from pathlib import Path

import pytest

from fluvial.transparency.chain import ChainEnd
from fluvial.transparency.compact_range import CompactRange
from fluvial.transparency.event import REMEMBERED_EVENTS, read_event
from fluvial.transparency.merkle import leaf_hash
from fluvial.wire.framing import decode, encode
from fluvial.wire.records import InputGap, SequencedEvent
from governance.audit import sequencer
from governance.audit.cloud_events import attributes, headers
from governance.audit.plain_events import WORTH_IT
from pipelines.audit import operators
from pipelines.audit.committed_log import CommittedLog
from pipelines.audit.leaf_headers import source_of, tree_of
from pipelines.flink.offsets import RecordsLost
from tests.unit.pipelines.audit.audit_world import TOPICS, AuditWorld, event, settings_in


@pytest.fixture(params=[1, WORTH_IT], ids=["looked through together", "one by one"])
def world(tmp_path: Path, request: pytest.FixtureRequest) -> AuditWorld:
    return AuditWorld(settings_in(tmp_path), together_from=request.param)


def root_of(leaves: list[bytes]) -> bytes:
    tree = CompactRange.empty()
    for leaf in leaves:
        tree = tree.append(leaf_hash(leaf))
    return tree.root()


def undisturbed(numbers: range, folder: Path) -> list[bytes]:
    """The leaves of these events in a world in which nothing happens."""
    folder.mkdir()
    world = AuditWorld(settings_in(folder))
    world.send(*map(event, numbers))
    world.settle()
    return world.chain()


def assert_signed(world: AuditWorld) -> None:
    leaves = world.chain()
    checkpoints = world.checkpoints()
    assert checkpoints[-1].size == len(leaves)
    for checkpoint in checkpoints:
        assert checkpoint.root == root_of(leaves[: checkpoint.size])


def test_each_event_gets_one_leaf_and_all_are_signed(world: AuditWorld) -> None:
    world.send(event(0), event(1), event(0), event(2))
    world.settle()
    world.send(event(1), event(3))
    world.settle()
    assert world.ids() == [event(number).id for number in range(4)]
    assert_signed(world)
    for record in world.topics[TOPICS.audit]:
        named = headers(attributes(decode(record.value, SequencedEvent).event))
        assert list(record.headers)[: len(named)] == named


def test_a_leaf_tells_where_its_event_lies_and_a_checkpoint_the_state_behind_it(world: AuditWorld) -> None:
    world.send(event(0), event(0), event(1))
    world.settle()
    assert [source_of(record) for record in world.topics[TOPICS.audit]] == [(0, 0), (0, 2)]
    (checkpoint,) = world.checkpoints()
    state = tree_of(world.topics[TOPICS.checkpoints][0])
    assert state is not None
    assert (state.tree.root(), state.last_offset) == (checkpoint.root, 1)


@pytest.mark.parametrize("lost_after", [0, 1, 3, 6])
def test_a_job_without_state_goes_on_behind_the_last_leaf(lost_after: int, world: AuditWorld, tmp_path: Path) -> None:
    """Finding B1: another composition of stages, another name, lost checkpoints."""
    world.send(*map(event, range(lost_after)))
    world.settle()
    world.submit()
    assert world.positions[TOPICS.events] == lost_after
    world.send(*map(event, range(lost_after, 7)))
    world.settle()
    assert world.chain() == undisturbed(range(7), tmp_path / "other")
    assert_signed(world)


def test_what_was_not_signed_at_the_end_is_signed_by_the_next_job(world: AuditWorld) -> None:
    world.send(event(0), event(1))
    world.deliver(TOPICS.events)
    world.checkpoint()
    world.submit()
    world.settle()
    assert_signed(world)
    assert world.signed_size() == 2


def test_a_signer_that_starts_does_not_read_what_it_is_given(world: AuditWorld) -> None:
    world.send(*map(event, range(5)))
    world.deliver(TOPICS.events)
    world.checkpoint()
    world.reads.clear()
    world.deliver(TOPICS.audit)
    assert TOPICS.audit not in {topic for topic, *_ in world.reads}
    world.settle()
    assert_signed(world)
    assert world.signed_size() == 5


def test_a_signer_that_starts_reads_the_leaves_before_what_it_is_given(world: AuditWorld) -> None:
    world.send(*map(event, range(3)))
    world.deliver(TOPICS.events)
    world.checkpoint()
    world.deliver(TOPICS.audit)  # taken in and not signed: the timer has not fired
    world.checkpoint()
    world.restart()
    world.send(*map(event, range(3, 6)))
    world.deliver(TOPICS.events)
    world.checkpoint()
    world.reads.clear()
    world.deliver(TOPICS.audit)
    assert [start for topic, start, _ in world.reads if topic == TOPICS.audit] == [{0: 0}]
    world.settle()
    assert_signed(world)
    assert world.signed_size() == 6


def test_a_start_behind_many_leaves_reads_a_bounded_tail(world: AuditWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.audit.operators.REMEMBERED_EVENTS", 10)
    for start in range(0, 300, 30):
        world.send(*map(event, range(start, start + 30)))
        world.settle()
    world.reads.clear()
    world.submit()
    world.send(event(300))
    world.settle()
    assert world.chain_size() == 301
    audit = [start for topic, start, _ in world.reads if topic == TOPICS.audit and start is not None]
    assert min(start[0] for start in audit) >= world.ends[TOPICS.audit] - 2 * 10 - 60
    events = [start for topic, start, _ in world.reads if topic == TOPICS.events and start is not None]
    assert all(start[0] >= 300 for start in events)


def test_a_repeat_far_behind_is_known_to_a_job_without_state(world: AuditWorld) -> None:
    """A stage tells again what it told before: at another place in `events`, so only the id shows it."""
    assert REMEMBERED_EVENTS > 40
    world.send(*map(event, range(40)))
    world.settle()
    world.submit()
    world.send(event(3), event(40), event(39))
    world.settle()
    assert world.ids() == [event(number).id for number in range(41)]


def test_an_aborted_transaction_loses_nothing(world: AuditWorld, tmp_path: Path) -> None:
    """Leaves:  0 1 committed | 2 3 aborted behind the checkpoint's back | 4 committed: a gap that the signer sees"""
    world.send(event(0), event(1))
    world.settle()
    world.send(event(2), event(3))
    world.deliver(TOPICS.events)
    world.checkpoint(committed=False)
    world.send(event(4))
    world.settle()
    assert world.restarts == 1
    assert world.chain() == undisturbed(range(5), tmp_path / "other")
    assert_signed(world)


def test_what_an_abort_took_comes_back_without_another_event(world: AuditWorld, tmp_path: Path) -> None:
    world.send(event(0), event(1))
    world.deliver(TOPICS.events)
    world.checkpoint(committed=False)
    world.restart()
    world.settle()
    assert world.chain() == undisturbed(range(2), tmp_path / "other")
    assert_signed(world)


def test_a_checkpoint_older_than_the_log_does_no_harm(world: AuditWorld, tmp_path: Path) -> None:
    """The newest checkpoint was damaged: Flink goes on from the one before, the log is further."""
    world.send(event(0))
    world.deliver(TOPICS.events)
    world.checkpoint()
    older = world.retained
    world.send(event(1), event(2))
    world.settle()
    world.retained = older
    world.restart()
    world.send(event(3))
    world.settle()
    assert world.chain() == undisturbed(range(4), tmp_path / "other")
    assert_signed(world)


def test_a_second_sequencer_that_began_anew_is_passed_over(world: AuditWorld) -> None:
    """What a former release did when its state was lost: leaf 0 behind leaf N. The log is not broken by it."""
    world.send(*map(event, range(3)))
    world.settle()
    end = ChainEnd()
    for number in range(5):
        end, leaf = sequencer.append(end, event(number))
        world.write(TOPICS.audit, leaf, proven=True)
    world.send(event(3))
    world.settle()
    world.submit()
    world.send(event(4))
    world.settle()
    assert world.ids() == [event(number).id for number in range(5)]
    assert_signed(world)


def test_a_leaf_that_no_stage_wrote_is_not_signed(world: AuditWorld) -> None:
    """Finding V10: a leaf that continues the chain, written by whoever may write to the brokers."""
    world.send(event(0), event(1))
    world.settle()
    _, forged = sequencer.append(world.end(), event(77))
    world.write(TOPICS.audit, forged, proven=False)
    for junk in (b"", b"junk", forged[:-1]):
        world.write(TOPICS.audit, junk, proven=False)
        world.write(TOPICS.checkpoints, junk, proven=False)
    world.send(event(2))
    world.settle()
    world.submit()
    world.send(event(3))
    world.settle()
    assert world.ids() == [event(number).id for number in range(4)]
    assert world.restarts == 0
    assert_signed(world)


@pytest.mark.parametrize("proven", [True, False])
def test_what_is_no_event_gets_no_leaf_and_stops_nothing(world: AuditWorld, proven: bool) -> None:
    """Findings B3c and V10; with a proof, too, as a faulty stage would write it."""
    one = event(1)
    bad = [
        b"garbage",
        b"",
        encode(one)[:-1],
        encode(replace(one, id=event(9).id)),
        encode(replace(one, time_ms=1 << 62)),
        encode(replace(one, time_ms=-1)),
        encode(replace(one, type="org.example.other")),
        encode(replace(one, subject="mallory")),
        encode(replace(one, data=bytes(70_000))),
    ]
    world.send(event(0))
    for value in bad:
        world.write(TOPICS.events, value, one.id.encode(), proven=proven)
    world.send(event(9), one)
    world.settle()
    world.submit()
    world.send(event(2))
    world.settle()
    assert world.ids() == [event(number).id for number in (0, 9, 1, 2)]
    assert world.restarts == 0


def test_a_forged_event_does_not_take_the_place_of_the_genuine_one(world: AuditWorld) -> None:
    """Finding V10: an event with the id of a verdict to come, and other data."""
    world.write(TOPICS.events, encode(event(0, participant="mallory")), b"", proven=False)
    world.send(event(0))
    world.settle()
    assert decode(world.chain()[0], SequencedEvent).event == event(0)


def test_what_is_older_than_the_key_of_stages_counts_without_proof(tmp_path: Path) -> None:
    """A federation whose log is older: leaves and events have neither proof nor place, checkpoints no state."""
    folder = tmp_path / "keys"
    folder.mkdir()
    old = AuditWorld(settings_in(folder, since_ms=1_700_000_000_100))
    end = ChainEnd()
    for number in range(4):
        end, leaf = sequencer.append(end, event(number))
        old.write(TOPICS.audit, leaf, proven=False)
        old.write(TOPICS.events, encode(event(number)), b"", proven=False)
    old.write(TOPICS.events, encode(event(4)), b"", proven=False)
    old.now_ms += 1_000
    old.submit()
    assert old.positions[TOPICS.events] == 0
    old.settle()
    assert old.ids() == [event(number).id for number in range(5)]
    old.submit()
    old.send(event(5))
    old.settle()
    assert old.ids() == [event(number).id for number in range(6)]
    assert_signed(old)


def test_a_view_tells_what_was_skipped(world: AuditWorld, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(5):
        world.write(TOPICS.audit, b"\x1b[2Jjunk", proven=True)
    with world._patched():
        log = CommittedLog(world.settings)
        log.view()
    assert log.skipped.count == 5
    told = [record.getMessage() for record in caplog.records if "skipped" in record.getMessage()]
    assert len(told) == 3
    assert told[0].startswith("t.audit/0@0 is skipped: leaf 0 is no SequencedEvent")
    assert not any("\x1b" in line for line in told)


@pytest.mark.parametrize("restart", [True, False])
def test_events_that_retention_took_are_a_gap_in_the_log(world: AuditWorld, restart: bool) -> None:
    world.send(event(0), event(1))
    world.settle()
    world.send(*map(event, range(2, 40)))
    world.expire(TOPICS.events, 30)
    if restart:
        world.submit()
    world.settle()
    assert world.ids()[:2] == [event(0).id, event(1).id]
    assert world.ids()[3:] == [event(number).id for number in range(30, 40)]
    told = read_event(decode(world.chain()[2], SequencedEvent).event)
    assert told == InputGap(topic=TOPICS.events, partition=0, first=2, end=30)
    world.submit()
    world.send(event(40))
    world.settle()
    assert world.chain_size() == 14
    assert_signed(world)


@pytest.mark.parametrize("restart", [True, False], ids=["restarted", "submitted anew"])
def test_events_that_the_broker_has_lost_end_the_stage_because_new_ones_would_be_taken_for_them(
    world: AuditWorld, restart: bool
) -> None:
    world.send(*map(event, range(5)))
    world.settle()
    world.ends[TOPICS.events] = 3
    world.expire(TOPICS.events, 3)
    world.send(event(9))
    if restart:
        world.restart()
        world.positions[TOPICS.events] = 0  # behind the end: Flink begins anew
    with pytest.raises(RecordsLost, match=rf"advance {TOPICS.events} 0 5"):
        world.deliver(TOPICS.events) if restart else world.submit()
    world.skip_offsets(TOPICS.events, 1)
    world.expire(TOPICS.events, 5)
    world.submit()
    world.send(event(10))
    world.settle()
    assert world.ids() == [event(number).id for number in (*range(5), 10)]
    assert_signed(world)


def test_the_first_leaf_after_a_pause_is_signed_at_once_and_later_ones_in_their_turn(world: AuditWorld) -> None:
    """Participants wait for a checkpoint before they train."""

    def come(number: int, wait_ms: int) -> None:
        world.send(event(number))
        world.deliver(TOPICS.events)
        world.checkpoint()
        world.deliver(TOPICS.audit)
        world.pass_time(wait_ms)
        world.checkpoint()

    come(0, 25)
    assert [each.size for each in world.checkpoints()] == [1]
    come(1, 25)
    assert [each.size for each in world.checkpoints()] == [1]
    world.pass_time(world.settings.tree_head_interval_ms)
    world.checkpoint()
    assert [each.size for each in world.checkpoints()] == [1, 2]


def test_a_clock_that_is_set_back_keeps_no_tree_head_back_for_as_long() -> None:
    assert operators.pause_ms(10_000, 9_950, 250) == 200
    assert operators.pause_ms(10_000, 0, 250) == operators.pause_ms(10_000, 9_000, 250) < 250
    assert operators.pause_ms(10_000, 10_000 + 3_600_000, 250) == 250
