"""The keeper's operator over Flink's state in dicts: it signs what `task_life` decides, and stands whatever comes."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from fluvial.identity.envelope import unseal
from fluvial.wire.framing import decode, encode
from fluvial.wire.records import (
    AuditEvent,
    ModelManifest,
    Outcome,
    PublishedModel,
    Receipt,
    Round,
    RoundEvent,
    RoundStatus,
    RoundTransition,
    Task,
    TaskStatus,
    TensorLayout,
)
from pipelines.aggregation import committed
from pipelines.aggregation.messages import Message, Place, RoundFailed, Selected, ShardDone, ShardFailed, Undecided
from pipelines.aggregation.operators.keep import KeepTask
from pipelines.config import Settings
from pipelines.flink.messages import pack
from tests.unit.pipelines.aggregation.builders import a_chunk, an_update
from tests.unit.pipelines.aggregation.committed_log import AGGREGATOR, CommittedLog
from tests.unit.pipelines.aggregation.rounds.test_task_life import a_partial_task, a_task
from tests.unit.pipelines.flink.test_frames import read_sink_frame
from tests.unit.pipelines.flink_state import FlinkState

UPDATES = (an_update(1, attempt=1), an_update(2, source_timestamp_ms=1_600))
CHUNKS = {0: a_chunk(10), 1: a_chunk(11)}


class Keeper:
    """The operator, its state, and what it wrote by topic: all of it is committed."""

    def __init__(self, folder: Path) -> None:
        self.key = AGGREGATOR
        self.key.save(folder / "aggregator.pem")
        self.settings = Settings.model_construct(topic_prefix="f.", keys_dir=folder)
        self.flink, self.log = FlinkState(), CommittedLog()
        self.restart()

    def restart(self) -> None:
        self.operator = KeepTask(self.settings)
        with (
            patch.object(committed, "acquire", lambda settings, attempt: self.log.recovery()),
            patch.object(committed, "release", lambda settings, attempt: None),
        ):
            self.operator.open(self.flink)

    def lose_state(self) -> None:
        self.flink = FlinkState()
        self.restart()

    def register(self, task: Task) -> dict[str, list[Any]]:
        self.log.register(task)
        return self.meet(task)

    def meet(self, task: Task) -> dict[str, list[Any]]:
        """The record comes from the registry."""
        return self._call(pack(task.task, "task", [encode(task)]))

    def report(self, message: Message) -> dict[str, list[Any]]:
        return self._call(message.packed("demo"))

    def _call(self, message: bytes) -> dict[str, list[Any]]:
        """What was written, decoded: rounds, models, receipts, events."""
        written: dict[str, list[Any]] = {}
        for topic, value in self._sent(message):
            written.setdefault(topic, []).append(value)
        return written

    def _sent(self, message: bytes) -> Iterator[tuple[str, Any]]:
        kinds: dict[str, Any] = {"f.rounds": Round, "f.models": ModelManifest}
        for frame in self.flink.call(self.operator, "demo", message):
            topic, _, value, _ = read_sink_frame(frame)
            assert value is not None
            if topic in kinds:
                self.log.write(topic[2:], "demo", value)
                yield topic[2:], unseal(value, kinds[topic], self.key.public_key)
            else:
                yield topic[2:], decode(value, Receipt if topic == "f.receipts" else AuditEvent)


@pytest.fixture
def keeper(tmp_path: Path) -> Keeper:
    return Keeper(tmp_path)


def transitions(written: dict[str, list[Any]]) -> list[RoundEvent]:
    return [
        decode(event.data, RoundEvent) for event in written.get("events", []) if event.type == "org.fluvial.round.v1"
    ]


def selected(number: int = 1) -> Selected:
    return Selected(Place(number, 1), UPDATES, (10, 0), 10)


def test_a_task_opens_its_round_and_a_model_opens_the_next(keeper: Keeper) -> None:
    opened = keeper.register(a_task())
    assert [(round_.round, round_.base_version) for round_ in opened["rounds"]] == [(1, 0)]
    closed = keeper.report(selected())
    assert [event.transition for event in transitions(closed)] == [RoundTransition.CLOSED]
    made = keeper.report(ShardDone(Place(1, 1), CHUNKS))
    (manifest,), (following,) = made["models"], made["rounds"]
    assert (manifest.version, following.round, following.base_digest) == (1, 2, manifest.model_digest)
    outcomes = [(receipt.update_id, receipt.outcome, receipt.version) for receipt in made["receipts"]]
    assert outcomes == [("update-1", Outcome.INCLUDED, 1), ("update-2", Outcome.EXCLUDED, 1)]
    assert [decode(event.data, PublishedModel).num_selected for event in made["events"][:1]] == [1]


def test_a_receipt_names_the_attempt_that_its_update_was_for(keeper: Keeper) -> None:
    """In an asynchronous window an update of an earlier round or attempt may be taken."""
    keeper.register(a_task(window={"mode": "buffered", "max_staleness": 2}))
    keeper.report(RoundFailed(Place(1, 1), 1, "too few"))
    keeper.report(Selected(Place(1, 2), UPDATES, (10, 0), 10))
    made = keeper.report(ShardDone(Place(1, 2), CHUNKS))
    assert [(receipt.round, receipt.attempt) for receipt in made["receipts"]] == [(1, 1), (1, 1)]


def test_it_goes_on_after_a_restart(keeper: Keeper) -> None:
    keeper.register(a_task())
    keeper.report(ShardDone(Place(1, 1), {0: a_chunk(10)}))
    keeper.restart()
    keeper.report(selected())
    keeper.restart()
    made = keeper.report(ShardDone(Place(1, 1), {1: a_chunk(11)}))
    assert [manifest.chunks for manifest in made["models"]] == [tuple(CHUNKS.values())]


@pytest.mark.parametrize(
    "reports",
    [
        (selected(), ShardFailed(Place(1, 1), "gone")),
        (ShardFailed(Place(1, 1), "gone"), selected()),
        (Undecided(Place(1, 1), UPDATES, "gone"),),
    ],
    ids=["a shard, at last", "a shard, at first", "the rule"],
)
def test_a_round_of_which_nothing_can_be_made_fails_openly_and_is_opened_again(
    keeper: Keeper, reports: tuple[Message, ...]
) -> None:
    keeper.register(a_task())
    for report in reports:
        written = keeper.report(report)
    receipts = [(receipt.update_id, receipt.round, receipt.attempt, receipt.outcome) for receipt in written["receipts"]]
    assert receipts == [("update-1", 1, 1, Outcome.ROUND_FAILED), ("update-2", 1, 1, Outcome.ROUND_FAILED)]
    failed = [event for event in transitions(written) if event.transition is RoundTransition.FAILED]
    assert [(event.round, event.attempt, event.num_updates, event.reason) for event in failed] == [(1, 1, 2, "gone")]
    assert [(round_.round, round_.attempt) for round_ in written["rounds"]] == [(1, 2)]


def test_a_round_without_quorum_says_so(keeper: Keeper) -> None:
    keeper.register(a_task())
    failed, _ = transitions(keeper.report(RoundFailed(Place(1, 1), 1, "1 updates are less than the quorum of 2")))
    assert (failed.transition, failed.reason) == (RoundTransition.FAILED, "1 updates are less than the quorum of 2")


def test_without_state_it_goes_on_from_the_log_and_repeats_nothing(keeper: Keeper) -> None:
    task = a_task(rounds=3)
    keeper.register(task)
    keeper.report(RoundFailed(Place(1, 1), 0, "too few"))
    keeper.lose_state()
    assert keeper.meet(task) == {}
    keeper.report(Selected(Place(1, 2), UPDATES, (10, 0), 10))
    made = keeper.report(ShardDone(Place(1, 2), CHUNKS))
    assert [(manifest.version, manifest.attempt) for manifest in made["models"]] == [(1, 2)]
    assert [(round_.round, round_.base_version) for round_ in made["rounds"]] == [(2, 1)]
    keeper.lose_state()
    assert keeper.meet(task) == {}


def test_a_report_may_come_before_the_tasks_record(keeper: Keeper) -> None:
    task = a_task()
    keeper.register(task)
    keeper.lose_state()
    assert len(transitions(keeper.report(selected()))) == 1
    assert keeper.meet(task) == {}


def test_what_the_log_lacks_after_a_model_is_made_again(keeper: Keeper) -> None:
    task = a_task()
    keeper.register(task)
    keeper.report(selected())
    keeper.report(ShardDone(Place(1, 1), CHUNKS))
    keeper.log.records["rounds"].pop()
    keeper.lose_state()
    opened = keeper.meet(task)
    assert [(round_.round, round_.attempt, round_.base_version) for round_ in opened["rounds"]] == [(2, 1, 1)]
    assert keeper.meet(task) == {}


def test_a_state_of_a_former_release_is_replaced_by_the_log(keeper: Keeper) -> None:
    task = a_task(rounds=3)
    keeper.register(task)
    (cell,) = keeper.flink.cells.values()
    cell["value"] = bytes([3]) + b'{"task": "demo"}'
    keeper.restart()
    written = keeper.report(RoundFailed(Place(1, 1), 0, "too few"))
    assert [(round_.round, round_.attempt) for round_ in written["rounds"]] == [(1, 2)]


def test_terms_that_came_while_nobody_kept_the_task_hold_from_the_next_round_on(keeper: Keeper) -> None:
    task, changed = a_task(rounds=5), replace(a_task(rounds=5, quorum=2), version=1)
    keeper.register(task)
    keeper.log.register(changed)
    keeper.lose_state()
    for record in (task, changed, task):
        assert keeper.meet(record) == {}
    written = keeper.report(RoundFailed(Place(1, 1), 0, "too few"))
    assert [(round_.attempt, round_.quorum) for round_ in written["rounds"]] == [(2, 2)]


def test_a_region_follows_its_parent_also_without_state(keeper: Keeper) -> None:
    base = (a_chunk(0), a_chunk(1))
    task = replace(a_partial_task(5, 4), base_digest=a_task().base_digest, base_chunks=base)
    following = replace(a_partial_task(6, 5), base_digest=a_task().base_digest, base_chunks=base, created_ms=9)
    assert [round_.round for round_ in keeper.register(task)["rounds"]] == [5]
    keeper.log.register(following)
    keeper.lose_state()
    assert keeper.meet(task) == {}
    assert [round_.round for round_ in keeper.meet(following)["rounds"]] == [6]


def test_a_state_that_the_log_has_gone_beyond_is_not_believed(keeper: Keeper) -> None:
    """A checkpoint before the newest, because that one was damaged."""
    task = a_task(rounds=3)
    keeper.register(task)
    before = copy.deepcopy(keeper.flink.cells)
    keeper.report(RoundFailed(Place(1, 1), 0, "too few"))
    keeper.flink.cells = before
    keeper.restart()
    assert keeper.report(RoundFailed(Place(1, 1), 0, "too few")) == {}
    assert [round_.attempt for round_ in keeper.report(RoundFailed(Place(1, 2), 0, "too few"))["rounds"]] == [3]


def poisonous() -> Iterator[Task]:
    """Records that the operator, or an old or foreign client, may have signed."""
    good = a_task()
    specification = json.loads(good.specification)
    for changes in (
        {"target": 3_000_000_000},
        {"target": 100_000},
        {"deadline_seconds": 9223372036854775807},
        {"deadline_seconds": 1e16},
        {"deadline_seconds": 1e300},
        {"window": {"grace_seconds": 1e17}},
        {"window": {"mode": "tumbling"}, "deadline_seconds": 1e17},
        {"limits": {"max_abs": 1.0, "max_weight": 1 << 70}, "rule": {"name": "unweighted_mean"}},
        {"rule": {"name": "mode"}},
        {"rounds": 1 << 64},
        {"task": "other"},
    ):
        yield replace(good, specification=json.dumps({**specification, **changes}))
    for text in ("", "[]", "{", "\x00", "null"):
        yield replace(good, specification=text)
    for shape in ((-5,), (1 << 62, 1 << 62), (0,)):
        yield replace(good, layout=(TensorLayout(name="weight", shape=shape),))
    yield replace(good, layout=())
    yield replace(good, base_chunks=())
    yield replace(good, base_version=(1 << 63) - 1)


@pytest.mark.parametrize("task", list(poisonous()))
def test_a_task_that_could_not_run_changes_nothing(keeper: Keeper, task: Task) -> None:
    """Neither as a new one, nor as other terms of one that runs."""
    assert keeper.register(replace(task, created_ms=0)) == {}
    assert len(keeper.register(a_task())["rounds"]) == 1
    assert keeper.register(replace(task, created_ms=2)) == {}
    keeper.restart()
    written = keeper.report(RoundFailed(Place(1, 1), 0, "too few"))
    assert [(round_.attempt, round_.quorum, round_.target) for round_ in written["rounds"]] == [(2, 1, 2)]


@pytest.mark.parametrize("lost", [True, False])
def test_an_act_that_came_while_the_job_was_away_holds_when_it_starts(keeper: Keeper, lost: bool) -> None:
    keeper.register(a_task())
    removed = replace(a_task(), version=1, status=TaskStatus.REMOVED, reason="why")
    keeper.log.register(removed)
    if lost:
        keeper.lose_state()
    else:
        keeper.restart()
    written = keeper.meet(removed)
    assert [(round_.round, round_.status) for round_ in written["rounds"]] == [(1, RoundStatus.REMOVED)]
    assert [event.reason for event in transitions(written)] == ["the task was removed", "why"]
    keeper.lose_state()
    assert keeper.meet(removed) == {}
    given_back = keeper.report(selected())
    assert [receipt.outcome for receipt in given_back["receipts"]] == [Outcome.ROUND_FAILED] * 2


def test_a_paused_task_that_lost_its_state_goes_on_where_it_was(keeper: Keeper) -> None:
    keeper.register(a_task())
    keeper.register(replace(a_task(), version=1, status=TaskStatus.PAUSED, specification="no task file"))
    keeper.report(RoundFailed(Place(1, 1), 0, "too few"))
    keeper.lose_state()
    assert keeper.meet(a_task()) == {}
    resumed = keeper.register(replace(a_task(rounds=9), version=2))
    assert [(round_.round, round_.attempt, round_.status) for round_ in resumed["rounds"]] == [(1, 2, RoundStatus.OPEN)]
