"""A region's process, with both federations played by the test."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fluvial.edge import model_proofs
from fluvial.edge.errors import NotEnrolled
from fluvial.edge.events import Answered, ChunkAcknowledged, Finished, Interrupted, Published
from fluvial.edge.models import load_model
from fluvial.edge.region.events import Attempted, Followed, Missed, Refused, Summed
from fluvial.edge.region.region import Region
from fluvial.identity.envelope import seal
from fluvial.identity.keys import SigningKey
from fluvial.registry.acts import ActRefused
from fluvial.wire.errors import VerificationError
from fluvial.wire.records import ParticipantStatus
from fluvial.wire.task_file import TaskFile
from tests.unit.fluvial.edge.region.region_world import BELOW, KEY, SIZE, RegionWorld, a_sum
from tests.unit.fluvial.edge.world import AGGREGATOR, OPERATOR, SPECIFICATION, TASK

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def world(tmp_path: Path) -> RegionWorld:
    return RegionWorld(tmp_path)


def bytes_above(world: RegionWorld, index: int = 0) -> bytes:
    chunks = world.updates()[index].chunks
    return b"".join(
        world.upper_transport.fetch(world.above.topics.update_blobs, [(each.partition, each.offset) for each in chunks])
    )


def test_each_round_of_the_parent_gets_the_sum_of_the_region(world: RegionWorld) -> None:
    def next_round(event: Published) -> None:
        if event.round < 3:
            world.open(event.round + 1)
        else:
            world.finish(3)

    world.open()
    assert world.run(Followed=lambda event: world.add_up(event.round), Published=next_round) == 3
    updates = world.updates()
    assert [(update.round, update.weight, update.encoding) for update in updates] == [
        (number, 7, "partial_sum") for number in (1, 2, 3)
    ]
    assert updates[0].scales == (7 * 2.0**30,)
    assert [bytes_above(world, index) for index in range(3)] == [a_sum(number) for number in (1, 2, 3)]
    one_round = [Followed, Summed, *[ChunkAcknowledged] * 11, Published]
    assert [type(event) for event in world.events] == one_round * 3 + [Finished]


def test_below_the_task_stands_on_the_parents_model(world: RegionWorld) -> None:
    opened = world.open(4)
    seen: list[Any] = []

    def look(event: Followed) -> None:
        seen.append(world.registered())
        world.add_up(event.round)

    world.run(Followed=look, Published=lambda event: world.finish(4))
    (task,) = seen
    task_file = TaskFile.model_validate_json(task.specification)
    assert (task_file.rounds, task_file.deadline_seconds, task_file.partial) == (4, 10.0, True)
    assert (task.base_version, task.base_digest, task.layout) == (3, opened.base_digest, opened.layout)
    below = world.below
    model = load_model(below.transport, below.topics.model_blobs, task.base_chunks, task.base_digest, SIZE)
    np.testing.assert_array_equal(model, np.full(SIZE, 4, np.float32))
    last = world.registered()
    assert TaskFile.model_validate_json(last.specification).rounds == 0
    assert last.base_version == 4
    assert world.has_agreement()


def test_a_further_attempt_above_gets_the_sum_that_is_there(world: RegionWorld) -> None:
    def again(event: Published) -> None:
        if event.attempt == 1:
            world.open(1, attempt=2)
        else:
            world.finish(1, attempt=2)

    world.open()
    assert world.run(Followed=lambda event: world.add_up(event.round), Published=again) == 1
    one, two = world.updates()
    assert (one.attempt, two.attempt, one.chunks) == (1, 2, two.chunks)
    assert len(world.of(Followed)) == len(world.of(Summed)) == 1


def test_a_round_that_closes_without_the_region_is_said_so_and_left(world: RegionWorld) -> None:
    def react(event: Followed) -> None:
        if event.round.round == 1:
            world.open(2)
        else:
            world.add_up(event.round)

    world.open()
    world.run(Followed=react, Published=lambda event: world.finish(2))
    assert [update.round for update in world.updates()] == [2]
    assert world.of(Missed) == [Missed(round=1)]


def test_a_failed_round_below_sends_nothing_and_is_told_apart(world: RegionWorld) -> None:
    opened = world.open()

    def attempt(number: int) -> None:
        below = replace(opened, task=BELOW, attempt=number)
        world.below.put(world.below.topics.rounds, BELOW, seal(below, AGGREGATOR, "aggregator"))

    def react(event: Attempted) -> None:
        if event.round.attempt == 1:
            attempt(2)
        else:
            assert world.updates() == []
            world.add_up(opened)

    world.run(Followed=lambda event: attempt(1), Attempted=react, Published=lambda event: world.finish(1))
    assert [event.round.attempt for event in world.of(Attempted)] == [1, 2]
    assert len(world.updates()) == 1


class Crash(Exception):
    """The process dies here."""


def crash(_: Any) -> None:
    raise Crash


@pytest.mark.parametrize("kind", ["Followed", "Summed", "ChunkAcknowledged", "Published"])
def test_a_region_continues_after_a_crash_at_any_step(world: RegionWorld, kind: str) -> None:
    opened = world.open()
    first: dict[str, Callable[[Any], Any]] = {"Followed": lambda event: world.add_up(event.round), kind: crash}
    with pytest.raises(Crash):
        world.run(**first)
    if kind == "Followed":
        world.add_up(opened)
    if kind == "Published":
        world.finish(1)
    world.run(Published=lambda event: world.finish(1))
    (update,) = world.updates()
    assert (update.round, update.weight) == (1, 7)
    assert bytes_above(world) == a_sum(1)
    assert world.num_registered() == 2, "opened once, finished once"
    assert len(world.above.chunks()) == 11, "no chunk twice"


@pytest.mark.parametrize("side", ["upper_transport", "lower_transport"])
@pytest.mark.parametrize("after", [0, 3, 8, 12])
def test_an_absent_broker_is_waited_for(
    world: RegionWorld, side: str, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fluvial.edge.region.region._RETRY_SECONDS", 0.01)
    opened = world.open()
    region = world.region(agreement=None)
    transport = getattr(world, side)
    transport.fail_produce_after(after)

    def heal(_: Interrupted) -> None:
        transport.heal()

    def add_up(event: Followed) -> None:
        transport.heal()
        world.add_up(opened)
        if side == "upper_transport":
            transport.fail_produce_after(after)

    def finish(event: Published) -> None:
        transport.heal()
        world.finish(1)

    assert world.run(region, Interrupted=heal, Followed=add_up, Published=finish) == 1
    assert bytes_above(world) == a_sum(1)
    assert len(world.updates()) == 1


def test_a_sum_that_the_parent_could_not_take_is_not_sent(world: RegionWorld) -> None:
    def refused(event: Refused) -> None:
        world.finish(1)

    world.open()
    world.run(Followed=lambda event: world.add_up(event.round, total_weight=1001), Refused=refused)
    (refusal,) = world.of(Refused)
    assert "weight is 1001" in refusal.reason
    assert world.updates() == []


@pytest.mark.parametrize(
    "changes",
    [{"partial": False}, {"task": "other"}, {"parent_digest": bytes(32)}, {"round": 9}, {"signer": OPERATOR}],
)
def test_only_the_regions_own_sum_of_this_round_counts(world: RegionWorld, changes: dict[str, Any]) -> None:
    def add_up(event: Followed) -> None:
        world.add_up(event.round, **changes)
        world.open(2)

    def react(event: Followed) -> None:
        if event.round.round == 1:
            add_up(event)
        else:
            world.finish(2)

    world.open()
    world.run(Followed=react)
    assert world.updates() == []


def test_bytes_of_a_sum_that_are_not_those_signed_end_it(world: RegionWorld) -> None:
    def tamper(event: Followed) -> None:
        manifest = world.add_up(event.round)
        first, *others = manifest.chunks
        world.add_up(event.round, chunks=(replace(others[0], sha256=first.sha256), *others))

    world.open()
    with pytest.raises(VerificationError):
        world.run(Followed=tamper)
    assert world.updates() == []


def test_a_task_that_does_not_fit_its_parent_ends_it_and_says_why(world: RegionWorld) -> None:
    world.open()
    with pytest.raises(ValueError, match=r"limits\.fraction_bits must be 30"):
        world.run(world.region(limits={"max_abs": 10.0, "max_weight": 100, "fraction_bits": 29}))
    assert world.registered() is None


def test_a_round_without_time_for_a_sum_is_not_opened(world: RegionWorld) -> None:
    world.open(deadline_ms=1)
    world.run(Refused=lambda event: world.finish(1))
    assert [event.reason for event in world.of(Refused)] == ["its deadline is too near"]
    assert world.registered() is None


def test_receipts_from_above_are_reported(world: RegionWorld) -> None:
    world.open()

    def answer(event: Published) -> None:
        world.above.answer("west", event.update_id)

    world.run(
        Followed=lambda event: world.add_up(event.round), Published=answer, Answered=lambda event: world.finish(1)
    )
    assert len(world.of(Answered)) == 1


def test_a_key_that_is_revoked_above_ends_it(world: RegionWorld) -> None:
    world.above.enrolled("west", KEY)

    def revoke(event: Followed) -> None:
        world.above.enrolled("west", KEY, status=ParticipantStatus.REVOKED, version=1)

    world.open()
    with pytest.raises(NotEnrolled, match="out of force"):
        world.run(Followed=revoke)
    assert world.updates() == []


def test_a_key_that_is_revoked_when_the_task_above_is_over_makes_no_error_of_that(world: RegionWorld) -> None:
    def finish_and_revoke(event: Followed) -> None:
        world.finish(1)
        world.above.enrolled("west", KEY, status=ParticipantStatus.REVOKED, version=1)

    world.open()
    world.run(Followed=finish_and_revoke)
    assert len(world.of(Finished)) == 1


def test_what_was_told_is_not_told_again_by_a_region_that_starts_again(world: RegionWorld) -> None:
    def answer(event: Published) -> None:
        world.above.answer("west", event.update_id)

    def finish(event: Answered) -> None:
        world.finish(1)

    world.open()
    world.run(Followed=lambda event: world.add_up(event.round), Published=answer, Answered=finish)
    world.run()
    assert [len(world.of(kind)) for kind in (Answered, Finished)] == [1, 2]


def test_stopping_ends_it(world: RegionWorld) -> None:
    world.open()
    region = world.region()
    assert world.run(region, Followed=lambda event: region.stop()) == 0
    assert world.of(Finished) == []


def test_another_operators_key_is_refused(world: RegionWorld, tmp_path: Path) -> None:
    region = world.region()
    region.close()
    with pytest.raises(ValueError, match="operator's key"):
        Region(
            region._task_file,
            world.below.federation,
            world.above.federation,
            "west",
            OPERATOR,
            SigningKey.generate(),
            tmp_path / "other.sqlite",
        )


def test_an_agreement_with_another_text_is_refused(world: RegionWorld) -> None:
    world.below.publish_agreement("west-terms", "Other terms.")
    world.open()
    with pytest.raises(ActRefused, match="another text"):
        world.run()


PACKAGED = {"package": {"name": "chest-xray"}, "model": {"builder": "chest_xray.model:net"}}


def register_above(world: RegionWorld, name: str = "chest-xray", digest: str = "ab" * 32) -> None:
    specification = {
        **SPECIFICATION,
        "package": {"name": name, "digest": digest},
        "model": {"builder": f"{name.replace('-', '_')}.model:net", "base_sha256": "cd" * 32},
    }
    task = replace(world.above.publish_task(), specification=json.dumps(specification))
    world.above.put(world.above.topics.registry, f"task/{TASK}", seal(task, OPERATOR, "operator"))


def test_below_the_package_is_pinned_as_above(world: RegionWorld) -> None:
    register_above(world)
    world.open()
    seen: list[Any] = []

    def look(event: Followed) -> None:
        seen.append(world.registered())
        world.finish(1)

    world.run(world.region(**PACKAGED), Followed=look)
    signed = TaskFile.model_validate_json(seen[0].specification)
    assert signed.package is not None
    assert signed.package.digest == "ab" * 32
    assert signed.model.base_sha256 == "cd" * 32


@pytest.mark.parametrize(
    ("above", "below", "why"),
    [
        ({"name": "other"}, {}, "has the package chest-xray, its parent other"),
        ({}, {"package": {"name": "chest-xray", "digest": "ef" * 32}}, "with digest efef.*its parent with abab"),
    ],
)
def test_a_region_whose_package_is_another_does_not_run(
    world: RegionWorld, above: dict[str, Any], below: dict[str, Any], why: str
) -> None:
    register_above(world, **above)
    world.open()
    with pytest.raises(ValueError, match=why):
        world.run(world.region(**{**PACKAGED, **below}))


def test_no_model_goes_down_that_the_parents_log_does_not_prove(
    world: RegionWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever signs the parent's models may sign one for the region alone."""
    monkeypatch.setattr(model_proofs, "_PROOF_SECONDS", 0.1)
    world.proves = False
    world.open()
    region = world.region()

    def look(event: Interrupted) -> None:
        assert "does not tell of version 0" in event.reason
        region.stop()

    world.run(region, Interrupted=look)
    assert world.num_registered() == 0
    assert len(world.of(Interrupted)) == 1
