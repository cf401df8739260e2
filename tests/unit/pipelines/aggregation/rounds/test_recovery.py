"""What the committed log says of rounds: where a stage without state goes on."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from fluvial.identity.keys import SigningKey
from fluvial.registry.approval import approve
from fluvial.wire.records import Decision, Outcome, RoundStatus, Task, WindowMode
from pipelines.aggregation.messages import Place, RoundFailed, Selected, ShardDone, Undecided
from pipelines.aggregation.rounds import task_life
from pipelines.aggregation.rounds.recovery import RecoveredTask
from tests.unit.pipelines.aggregation.builders import a_chunk, a_round, an_update
from tests.unit.pipelines.aggregation.committed_log import CommittedLog, a_verdict
from tests.unit.pipelines.aggregation.rounds.test_task_life import a_partial_task, a_task

UPDATES = (an_update(1), an_update(2))
CHUNKS = {0: a_chunk(10), 1: a_chunk(11)}


def history(log: CommittedLog, *events: Any) -> task_life.TaskState:
    """The keeper's state after these events, each of whose effects is committed."""
    state = None
    for number, event in enumerate(events, 1):
        if isinstance(event, Task):
            event = replace(event, created_ms=number)
            log.register(event)
        state, effects = task_life.step(state, event, 5_000)
        log.perform(effects)
    assert state is not None
    return state


def selected(round_: int, attempt: int = 1) -> Selected:
    return Selected(Place(round_, attempt), UPDATES, (10, 0), 10)


def done(round_: int, attempt: int = 1) -> ShardDone:
    return ShardDone(Place(round_, attempt), CHUNKS)


def recovered(log: CommittedLog) -> RecoveredTask:
    found = log.recovery().task("demo")
    assert found is not None
    return found


HISTORIES = {
    "the first round": (a_task(),),
    "a second attempt": (a_task(), RoundFailed(Place(1, 1), 0, "why")),
    "a second round": (a_task(), selected(1), done(1)),
    "after the last round": (a_task(rounds=1), selected(1), done(1)),
    "an undecided buffer": (
        a_task(window={"mode": "buffered", "max_staleness": 2}, rounds=5),
        Undecided(Place(1, 1), UPDATES, "why"),
    ),
    "an optimizer": (
        a_task(server_optimizer={"name": "adam", "learning_rate": 0.1}, rounds=3),
        selected(1),
        ShardDone(Place(1, 1), {index: a_chunk(20 + index) for index in range(6)}),
    ),
    "a region": (a_partial_task(0, 4), a_partial_task(5, 4)),
}


@pytest.mark.parametrize("events", HISTORIES.values(), ids=HISTORIES)
def test_a_task_goes_on_as_the_keeper_left_it(events: tuple[Any, ...]) -> None:
    log = CommittedLog()
    state = history(log, *events)
    found = recovered(log)
    assert not found.owes_next
    again = found.state
    assert (again.model, again.round, again.attempt, again.open) == (
        state.model,
        state.round,
        state.attempt,
        state.open,
    )
    if not state.open:
        return
    chunks = dict(enumerate([a_chunk(30), a_chunk(31), *state.model.optimizer_chunks]))
    place = Place(state.round, state.attempt)
    for report in (Selected(place, UPDATES, (10, 10), 20), ShardDone(place, chunks)):
        (state, expected), (again, effects) = (task_life.step(each, report, 9_000) for each in (state, again))  # type: ignore[misc]
        assert effects == expected


def test_the_open_round_keeps_its_terms_and_the_next_one_has_the_newest() -> None:
    """The rule was changed after the round was announced."""
    log = CommittedLog()
    state = history(log, a_task(rounds=1), a_task(rule={"name": "unweighted_mean"}, rounds=3, quorum=2))
    again = recovered(log).state
    for report in (selected(1), done(1)):
        (state, expected), (again, effects) = (task_life.step(each, report, 9_000) for each in (state, again))  # type: ignore[misc]
        assert effects == expected
    assert json.loads(expected[-2].round.rule)["name"] == "unweighted_mean"


def test_a_manifest_without_its_next_round_opens_it() -> None:
    log = CommittedLog()
    state = history(log, a_task(rounds=2), selected(1), done(1))
    log.records["rounds"].pop()
    found = recovered(log)
    assert found.owes_next
    assert (found.state.model, found.state.open) == (state.model, False)
    again, (announced, opened) = task_life.resume(found.state, 5_000)
    assert isinstance(announced, task_life.Announce)
    assert (announced.round.round, announced.round.base_digest) == (2, state.model.digest)
    assert isinstance(opened, task_life.Record)
    assert again.open


def test_a_copy_of_a_former_round_takes_no_model_back_although_compaction_took_what_came_after_it() -> None:
    log = CommittedLog()
    log.now_ms = 6_000
    state = history(log, a_task(rounds=4), selected(1), done(1), selected(2), done(2))
    copy = log.records["rounds"][0].value
    log.records["rounds"].clear()
    log.write("rounds", "demo", copy)
    found = recovered(log)
    assert (found.state.round, found.state.model, found.owes_next) == (2, state.model, True)
    _, (announced, _) = task_life.resume(found.state, 5_000)
    assert isinstance(announced, task_life.Announce)
    assert announced.round.round == 3


@pytest.mark.parametrize("left", [b"", b"junk"])
def test_a_task_of_whose_rounds_compaction_left_nothing_goes_on_behind_its_newest_model(left: bytes) -> None:
    log = CommittedLog()
    state = history(log, a_task(rounds=4), selected(1), done(1), selected(2), done(2))
    log.records["rounds"].clear()
    log.write("rounds", "demo", left)
    found = recovered(log)
    assert (found.state.round, found.state.model, found.owes_next) == (2, state.model, True)
    _, (announced, _) = task_life.resume(found.state, 5_000)
    assert isinstance(announced, task_life.Announce)
    assert (announced.round.round, announced.round.attempt, announced.round.base_version) == (3, 1, 2)


def test_a_last_model_without_the_tasks_end_ends_it() -> None:
    log = CommittedLog()
    history(log, a_task(rounds=1), selected(1), done(1))
    log.records["rounds"].pop()
    state, (announced, _) = task_life.resume(recovered(log).state, 5_000)
    assert isinstance(announced, task_life.Announce)
    assert (announced.round.status, state.open) == (RoundStatus.FINISHED, False)


def test_a_regions_round_whose_sum_was_published_is_over() -> None:
    log = CommittedLog()
    history(log, a_partial_task(5, 4), selected(5), done(5))
    found = recovered(log)
    assert (found.owes_next, found.state.open, found.state.round) == (False, False, 5)
    state, effects = task_life.step(found.state, replace(a_partial_task(6, 5), created_ms=9), 5_000)
    assert state is not None
    assert (state.round, state.open, len(effects)) == (6, True, 2)


def test_a_task_that_had_no_round_is_unknown() -> None:
    log = CommittedLog()
    assert log.recovery().task("demo") is None
    log.register(a_task())
    assert log.recovery().task("demo") is None


def test_what_the_keeper_refused_changes_no_terms() -> None:
    log = CommittedLog()
    history(log, a_task(rounds=2))
    log.register(replace(a_task(target=3_000_000_000), created_ms=50))
    log.register(replace(a_task(), specification="junk", created_ms=51))
    state, _ = task_life.step(recovered(log).state, RoundFailed(Place(1, 1), 0, "why"), 5_000)
    assert state is not None
    assert (state.attempt, state.task_file.target) == (2, 2)


def test_a_task_of_a_former_release_that_would_be_refused_today_goes_on() -> None:
    log = CommittedLog()
    log.register(a_task(deadline_seconds=86_400))
    log.announce(a_round(base_digest=bytes(32), base_chunks=(a_chunk(0), a_chunk(1)), quorum=1, target=2))
    assert recovered(log).state.open


def test_what_is_not_genuine_is_skipped_and_old_copies_change_nothing() -> None:
    log = CommittedLog()
    state = history(log, a_task(rounds=3), selected(1), done(1))
    forged = SigningKey.generate()
    log.announce(a_round(round=9), forged)
    log.register(a_task(rounds=9), forged)
    first = log.records["rounds"][0]
    for topic in ("rounds", "models", "registry", "receipts"):
        log.write(topic, "task/demo", b"junk")
    log.write("rounds", "demo", first.value)
    assert (recovered(log).state.round, recovered(log).state.model) == (2, state.model)


def test_what_has_a_receipt_is_answered_and_the_rest_of_the_open_round_is_not() -> None:
    log = CommittedLog()
    log.announce(a_round(round=2))
    updates = [an_update(number, round=2) for number in range(4)]
    log.accept(*updates, an_update(8, round=1), an_update(9, round=2, attempt=7))
    log.verdicts.append(a_verdict(an_update(7, round=2), decision=Decision.REJECT))
    log.answer(updates[1], Outcome.LATE)
    recovery = log.recovery()
    assert recovery.unanswered("demo") == {updates[number].record_sha256 for number in (0, 2, 3)}
    assert [recovery.is_answered(update) for update in updates] == [False, True, False, False]
    assert recovery.unanswered("other") == set()


def test_an_asynchronous_round_may_take_updates_of_rounds_before_it() -> None:
    log = CommittedLog()
    log.announce(a_round(round=4, window=WindowMode.BUFFERED, max_staleness=2))
    updates = [an_update(number, round=number) for number in range(6)]
    log.accept(*updates)
    # As former releases wrote it: the attempt is that of the round which took the update.
    log.answer(updates[3], Outcome.INCLUDED, attempt=9)
    recovery = log.recovery()
    assert recovery.unanswered("demo") == {updates[2].record_sha256, updates[4].record_sha256}
    assert recovery.is_answered(updates[3])


def test_a_job_without_state_takes_no_weaker_terms_that_lack_signatures_although_the_former_record_is_gone() -> None:
    """The registry is compacted: the newest record alone is there, and the round says what was in force before."""
    anna = SigningKey.from_seed(bytes([9]) * 32)
    approval = {"operators": 1, "operator_keys": {"anna": anna.public_key.hex()}}
    for signs, quorum in ((False, 2), (True, 1)):
        log = CommittedLog()
        history(log, a_task(quorum=2, rounds=9, approval=approval))
        log.records["registry"].clear()
        log.register(replace(a_task(quorum=1, rounds=9, approval=approval), version=1))
        if signs:
            newest = log.records["registry"].pop()
            log.write("registry", "task/demo", approve(newest.value, anna, "anna"))
        state = recovered(log).state
        assert json.loads(state.registered or state.specification)["quorum"] == quorum
