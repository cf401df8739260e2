"""What the operator says of a task: pause, resume, finish, remove."""

from dataclasses import replace
from typing import Any

import pytest

from fluvial.wire.records import RoundStatus, RoundTransition, Task, TaskStatus
from pipelines.aggregation.messages import Undecided
from pipelines.aggregation.rounds import task_life, task_state
from pipelines.aggregation.rounds.registration import admitted, refusal
from tests.unit.pipelines.aggregation.builders import a_chunk
from tests.unit.pipelines.aggregation.rounds.test_task_life import UPDATES, a_task, done, failed, run, selected

CHUNKS = {0: a_chunk(0), 1: a_chunk(1)}
PAUSED, FINISHED, REMOVED = TaskStatus.PAUSED, TaskStatus.FINISHED, TaskStatus.REMOVED


def said(status: TaskStatus, reason: str = "", **changes: Any) -> Task:
    return replace(a_task(**changes), status=status, reason=reason)


def announced(effects: list[task_life.Effect]) -> list[tuple[int, int, str]]:
    """What topic rounds gets."""
    rounds = [effect.round for effect in effects if isinstance(effect, task_life.Announce)]
    return [(round_.round, round_.attempt, round_.status.value) for round_ in rounds]


def transitions(effects: list[task_life.Effect]) -> list[tuple[str, str]]:
    events = [effect.event for effect in effects if isinstance(effect, task_life.Record)]
    return [(event.transition.value, event.reason) for event in events]


def test_the_open_round_of_a_paused_task_ends_and_the_next_one_waits() -> None:
    state, effects = run(a_task(), said(PAUSED, "the data is wrong"), selected(1), done(1, CHUNKS))
    assert effects[1] == []
    assert isinstance(effects[3][0], task_life.Publish)
    assert announced(effects[3]) == [(2, 1, "PAUSED")]
    assert transitions(effects[3]) == [("PAUSED", "the data is wrong")]
    assert not state.open


def test_a_round_that_fails_while_the_task_is_paused_is_not_opened_again_before_it_goes_on() -> None:
    _, effects = run(a_task(), said(PAUSED), failed(1), a_task())
    assert announced(effects[2]) == [(1, 2, "PAUSED")]
    assert [transition for transition, _ in transitions(effects[2])] == ["FAILED", "PAUSED"]
    assert announced(effects[3]) == [(1, 2, "OPEN")]


def test_a_paused_task_goes_on_with_the_terms_that_were_registered_meanwhile() -> None:
    state, effects = run(a_task(), said(PAUSED), selected(1), done(1, CHUNKS), a_task(rounds=9, quorum=2))
    assert announced(effects[4]) == [(2, 1, "OPEN")]
    assert (state.task_file.rounds, state.task_file.quorum) == (9, 2)


def test_a_pause_that_is_lifted_before_the_round_ends_changes_nothing() -> None:
    _, effects = run(a_task(), said(PAUSED), a_task(), selected(1), done(1, CHUNKS))
    assert effects[1] == effects[2] == []
    assert announced(effects[4]) == [(2, 1, "OPEN")]


def test_a_task_may_begin_paused() -> None:
    _, effects = run(said(PAUSED), a_task())
    assert announced(effects[0]) == [(1, 1, "PAUSED")]
    assert announced(effects[1]) == [(1, 1, "OPEN")]


@pytest.mark.parametrize("ends_by", ["model", "failure"])
def test_a_task_is_finished_after_its_open_round(ends_by: str) -> None:
    reports = [selected(1), done(1, CHUNKS)] if ends_by == "model" else [failed(1)]
    state, effects = run(a_task(), said(FINISHED, "enough"), *reports)
    assert effects[1] == []
    assert announced(effects[-1]) == [(1, 1, "FINISHED")]
    assert transitions(effects[-1])[-1] == ("FINISHED", "enough")
    assert state.announced is RoundStatus.FINISHED


def test_a_paused_task_is_finished_at_once() -> None:
    _, effects = run(a_task(), said(PAUSED), failed(1), said(FINISHED))
    assert announced(effects[3]) == [(1, 2, "FINISHED")]


def test_a_task_without_rounds_is_finished_at_once_and_once() -> None:
    _, effects = run(a_task(rounds=0), said(FINISHED, rounds=0), said(FINISHED, rounds=0))
    assert [announced(one) for one in effects] == [[], [(0, 0, "FINISHED")], []]


def test_a_removed_task_gives_up_its_open_round_and_answers_whoever_is_with_the_rule() -> None:
    state, effects = run(a_task(), said(REMOVED, "consent was withdrawn"), selected(1), failed(1))
    assert announced(effects[1]) == [(1, 1, "REMOVED")]
    assert transitions(effects[1]) == [("FAILED", "the task was removed"), ("REMOVED", "consent was withdrawn")]
    assert effects[2] == [task_life.GiveBack(UPDATES)]
    assert effects[3] == []
    assert not state.open
    _, effects = run(a_task(), selected(1), said(REMOVED), done(1, CHUNKS))
    assert effects[2][0] == task_life.GiveBack(UPDATES)
    assert effects[3] == []
    undecided = Undecided(selected(1).place, UPDATES, "no rule")
    assert run(a_task(), said(REMOVED), undecided)[1][2] == [task_life.GiveBack(UPDATES)]


def test_a_task_that_was_finished_goes_on_where_its_operator_says_so() -> None:
    _, effects = run(a_task(), said(FINISHED), failed(1), a_task())
    assert announced(effects[3]) == [(2, 1, "OPEN")]


def test_nothing_brings_a_removed_task_back() -> None:
    for after in (FINISHED, PAUSED, TaskStatus.RUNNING):
        state, _ = run(a_task(), said(REMOVED))
        assert "for good" in refusal(state, replace(said(after), version=7))
    state, effects = run(a_task(), said(REMOVED), said(PAUSED), a_task(rounds=9))
    assert effects[2] == effects[3] == []
    assert state.announced is RoundStatus.REMOVED


def test_a_task_whose_terms_can_not_run_can_be_halted() -> None:
    state, _ = run(a_task(rounds=7))
    for status in (PAUSED, FINISHED, REMOVED):
        taken = admitted(state, replace(said(status), version=1, specification="no task file"))
        after, _ = task_life.step(state, taken, 5_000)
        assert after is not None
        assert (after.status, after.task_file.rounds) == (status, 7)
    with pytest.raises(ValueError, match="JSON"):
        admitted(state, replace(a_task(), version=1, specification="no task file"))


def test_an_older_record_of_a_paused_task_does_not_let_it_go_on() -> None:
    older, newer = a_task(), replace(said(PAUSED), version=3)
    state, _ = task_life.step(None, newer, 0)
    assert task_life.step(state, replace(older, version=2, created_ms=99), 0) == (state, [])


def test_what_is_asked_for_already_is_not_done_again() -> None:
    for record in (a_task(), said(PAUSED), said(REMOVED), said(FINISHED)):
        state, _ = run(a_task(), failed(1), record)
        assert task_life.obey(state, 0) == (state, [])
        assert task_state.load(task_state.dump(state)) == state


def test_fewer_rounds_than_there_were_end_the_task_after_the_open_one() -> None:
    _, effects = run(a_task(), selected(1), done(1, CHUNKS), a_task(rounds=1), failed(2))
    assert announced(effects[4]) == [(2, 1, "FINISHED")]
    assert transitions(effects[4])[0][0] == RoundTransition.FAILED.value


def test_a_partial_task_is_not_halted_by_its_record() -> None:
    partial = {"partial": True, "limits": {"max_abs": 1.0, "max_weight": 10, "fraction_bits": 20}, "evaluation": None}
    state, _ = run(a_task(**partial))
    assert "region" in refusal(state, replace(said(PAUSED, **partial), version=1))
