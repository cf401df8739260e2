"""When a round closes, and on which updates.

time:      1000 opened ......... 2000 deadline .. 2500 waited for what came in time (.. 3000 grace .. 3500)
"""

from dataclasses import replace
from typing import Any

import pytest

from fluvial.wire.records import RoundStatus, WindowMode
from pipelines.aggregation.rounds import window
from tests.unit.pipelines.aggregation.builders import a_round, an_update

WAIT_MS = 500
OPENED = 1000


def run(*events: tuple[int, object]) -> tuple[window.Window, list[window.Effect]]:
    state, all_effects = window.Window(), []
    for now_ms, event in events:
        state, effects = window.step(state, event, now_ms, arrival_wait_ms=WAIT_MS)  # type: ignore[arg-type]
        assert window.Window.load(state.dump(), state.round) == state
        all_effects.extend(effects)
    return state, all_effects


def last(*events: tuple[int, object]) -> list[window.Effect]:
    """The effects of the last event alone."""
    before = run(*events[:-1])[1]
    return run(*events)[1][len(before) :]


def test_the_target_closes_the_round_at_once() -> None:
    round_, updates = a_round(), [an_update(i) for i in range(4)]
    state, effects = run((1000, round_), *((1500, update) for update in updates))
    assert effects == [
        window.Begin(round_),
        window.WakeAt(2500),
        window.Release(),
        *(window.Admit(update) for update in updates[:3]),
        window.Close(round_),
        window.Release(),
        window.Late(updates[3]),
    ]
    assert state.phase is window.Phase.CLOSED


def test_the_deadline_closes_a_round_that_has_its_quorum() -> None:
    effects = last((1000, a_round()), (1100, an_update(1)), (1200, an_update(2)), (2500, window.Deadline()))
    assert effects == [window.Close(a_round()), window.Release()]


def test_the_deadline_fails_a_round_without_quorum_openly() -> None:
    effects = last((1000, a_round()), (1100, an_update(1)), (2500, window.Deadline()))
    assert effects == [window.GiveBack(), window.Fail(a_round(), 1), window.Release()]


def test_silence_fails_the_round_too() -> None:
    assert last((1000, a_round()), (2500, window.Deadline()))[1] == window.Fail(a_round(), 0)


def test_a_timer_before_the_wait_is_over_does_nothing() -> None:
    assert last((1000, a_round()), (2400, window.Deadline())) == []


def test_a_timer_that_its_round_has_outlived_does_nothing() -> None:
    updates = [(1500, an_update(i)) for i in range(3)]
    assert last((1000, a_round()), *updates, (2500, window.Deadline())) == []
    assert last((1000, a_round(attempt=2, deadline_ms=4000)), (2500, window.Deadline())) == []
    assert last((2500, window.Deadline())) == []


def test_broker_time_decides_what_is_late() -> None:
    in_time = an_update(1, source_timestamp_ms=2000)
    late = an_update(2, source_timestamp_ms=2001)
    _, effects = run((1000, a_round()), (2300, in_time), (2300, late))
    assert effects[-2:] == [window.Admit(in_time), window.Late(late)]


def test_an_update_that_overtakes_its_round_is_held() -> None:
    update = an_update(1)
    state, effects = run((900, update))
    assert effects == [window.Hold(update)]
    assert state.phase is window.Phase.UNKNOWN


def test_a_failed_round_opens_again_as_its_next_attempt() -> None:
    second = a_round(attempt=2, opened_ms=3000, deadline_ms=4000)
    early = an_update(1, attempt=2, source_timestamp_ms=3100)
    state, effects = run((1000, a_round()), (2500, window.Deadline()), (2600, early), (3000, second), (3100, early))
    assert window.Hold(early) in effects
    assert effects[-1] == window.Admit(early)
    assert state.num_admitted == 1


def test_an_update_of_a_former_attempt_or_round_is_late() -> None:
    second = a_round(attempt=2, deadline_ms=4000)
    former = an_update(1)
    assert last((1000, a_round()), (3000, second), (3100, former)) == [window.Late(former)]
    assert last((3000, a_round(round=2, deadline_ms=4000)), (3100, former)) == [window.Late(former)]


def test_a_repeated_round_record_changes_nothing() -> None:
    state, effects = run((1000, a_round()), (1100, an_update(1)), (1200, replace(a_round(), deadline_ms=9)))
    assert effects[-1] == window.Admit(an_update(1))
    assert state.num_admitted == 1


def test_the_next_round_takes_over_and_loses_nothing() -> None:
    second = a_round(round=2)
    _, effects = run((1000, a_round()), (1100, an_update(1)), (1200, second))
    assert effects[-4:] == [window.HoldAdmitted(), window.Begin(second), window.WakeAt(2500), window.Release()]


def test_a_round_that_is_over_keeps_little() -> None:
    updates = [an_update(i) for i in range(3)]
    state, effects = run((1000, a_round()), *((1500, update) for update in updates))
    assert effects[-2] == window.Close(a_round())
    assert state.round is not None
    assert state.round.layout == ()


def test_a_finished_task_answers_all_it_holds_and_goes_on_when_it_has_more_rounds() -> None:
    finished, update = a_round(status=RoundStatus.FINISHED), an_update(1)
    assert last((1000, a_round()), (2600, finished)) == [window.Release()]
    assert last((2600, finished), (2700, update)) == [window.Late(update)]
    later = an_update(2, round=2)
    assert last((2600, finished), (2700, later)) == [window.Hold(later)]
    assert last((2600, finished), (2800, a_round(round=2)))[-1] == window.Release()


def test_a_paused_task_takes_nothing_and_keeps_what_is_for_the_round_to_come() -> None:
    paused, update = a_round(round=2, status=RoundStatus.PAUSED), an_update(1, round=2)
    assert last((1000, a_round()), (2600, paused)) == [window.Release()]
    assert last((2600, paused), (2700, update)) == [window.Hold(update)]
    assert last((2600, paused), (2700, an_update(2))) == [window.Late(an_update(2))]
    opened = a_round(round=2)
    assert last((2600, paused), (2700, update), (2800, opened)) == [
        window.Begin(opened),
        window.WakeAt(2500),
        window.Release(),
    ]


def test_updates_of_an_asynchronous_task_wait_while_it_is_paused() -> None:
    rounds = {"window": WindowMode.BUFFERED, "max_staleness": 2}
    paused = a_round(round=2, status=RoundStatus.PAUSED, **rounds)
    assert last((1000, paused), (1100, an_update(1))) == [window.Hold(an_update(1))]


def test_a_removed_task_gives_back_what_was_admitted_and_answers_whatever_comes_later() -> None:
    removed = a_round(status=RoundStatus.REMOVED)
    assert last((1000, a_round()), (1100, an_update(1)), (1200, removed)) == [window.GiveBack(), window.Release()]
    assert last((1000, a_round()), (1200, removed), (1300, an_update(2))) == [window.Late(an_update(2))]


# Grace: a synchronous round without its quorum.


GRACE = a_round(grace_ms=1000)
IN_GRACE = an_update(7, source_timestamp_ms=2900)


def test_an_update_in_the_grace_waits_until_the_quorum_is_known_to_be_missing() -> None:
    assert last((1000, GRACE), (2450, IN_GRACE)) == [window.Hold(IN_GRACE)]
    before = (1000, GRACE), (1100, an_update(1)), (2450, IN_GRACE)
    assert last(*before, (2500, window.Deadline())) == [window.WakeAt(3500), window.Release()]
    after = *before, (2500, window.Deadline()), (2500, IN_GRACE)
    assert last(*after) == [window.Admit(IN_GRACE), window.Close(GRACE), window.Release()]


def test_an_update_in_the_grace_is_late_where_the_round_had_its_quorum_in_time() -> None:
    before = (1000, GRACE), (1100, an_update(1)), (1200, an_update(2)), (2450, IN_GRACE), (2500, window.Deadline())
    assert last(*before) == [window.Close(GRACE), window.Release()]
    assert last(*before, (2500, IN_GRACE)) == [window.Late(IN_GRACE)]


def test_the_round_fails_when_the_grace_is_over() -> None:
    before = (1000, GRACE), (1100, an_update(1)), (2500, window.Deadline())
    assert last(*before, (3400, window.Deadline())) == []
    assert last(*before, (3500, window.Deadline()))[:2] == [window.GiveBack(), window.Fail(GRACE, 1)]
    late = an_update(8, source_timestamp_ms=3001)
    assert last(*before, (3010, late)) == [window.Late(late)]


def test_after_an_outage_what_the_broker_had_in_the_grace_still_counts() -> None:
    before = (1000, GRACE), (1100, an_update(1)), (2450, IN_GRACE)
    assert last(*before, (9000, window.Deadline())) == [window.WakeAt(3500), window.Release()]


# Buffered and tumbling.


def buffered(**changes: Any) -> Any:
    return a_round(**{"round": 5, "window": WindowMode.BUFFERED, "max_staleness": 2, "staleness": "{}", **changes})


def tumbling(**changes: Any) -> Any:
    return buffered(window=WindowMode.TUMBLING, **changes)


@pytest.mark.parametrize("round_", [buffered(), tumbling()])
def test_updates_that_lag_behind_no_more_than_allowed_are_admitted(round_: Any) -> None:
    for number, attempt in ((5, 1), (4, 1), (4, 7), (3, 1)):
        update = an_update(1, round=number, attempt=attempt)
        assert last((OPENED, round_), (1100, update)) == [window.Admit(update)]
    too_old, too_new = an_update(1, round=2), an_update(1, round=6)
    assert last((OPENED, round_), (1100, too_old)) == [window.Late(too_old)]
    assert last((OPENED, round_), (1100, too_new)) == [window.Hold(too_new)]


def test_the_target_closes_a_buffer_and_what_comes_then_waits_for_the_next_round() -> None:
    updates = [(1500, an_update(i, round=3 + i)) for i in range(3)]
    closed = (OPENED, buffered()), *updates
    assert last(*closed)[1:] == [window.Close(buffered())]
    more, too_old = an_update(4, round=3), an_update(5, round=2)
    assert last(*closed, (1600, more)) == [window.Hold(more)]
    assert last(*closed, (1600, too_old)) == [window.Late(too_old)]
    following = buffered(round=6, deadline_ms=4000)
    assert last(*closed, (1700, following), (1700, more)) == [window.Late(more)]
    on_time = an_update(6, round=4, source_timestamp_ms=1600)
    assert last(*closed, (1700, following), (1700, on_time)) == [window.Admit(on_time)]


def test_a_buffer_takes_updates_after_the_deadline_as_long_as_it_is_open() -> None:
    update = an_update(1, round=5, source_timestamp_ms=2100)
    assert last((OPENED, buffered()), (2100, update)) == [window.Admit(update)]


@pytest.mark.parametrize("round_", [buffered(), tumbling()])
def test_the_deadline_closes_an_asynchronous_round_with_its_quorum(round_: Any) -> None:
    updates = [(1500, an_update(i, round=4)) for i in range(2)]
    assert last((OPENED, round_), *updates, (2500, window.Deadline())) == [window.Close(round_)]


@pytest.mark.parametrize("round_", [buffered(), tumbling()])
def test_without_a_quorum_it_fails_openly_and_its_updates_wait(round_: Any) -> None:
    before = (OPENED, round_), (1500, an_update(1, round=4)), (2500, window.Deadline())
    assert last(*before) == [window.HoldAdmitted(), window.Fail(round_, 1)]
    assert run(*before)[0].num_admitted == 0
    again = replace(round_, attempt=2, deadline_ms=4000)
    held = an_update(1, round=4)
    assert last(*before, (2600, again), (2600, held)) == [window.Admit(held)]


def test_a_tumbling_window_ends_by_broker_time_alone() -> None:
    inside = [an_update(i, round=5, source_timestamp_ms=1999) for i in range(4)]
    beyond = an_update(9, round=5, source_timestamp_ms=2000)
    _, effects = run((OPENED, tumbling()), *((2300, update) for update in [beyond, *inside]))
    assert effects[3:] == [window.Hold(beyond), *map(window.Admit, inside[:3]), window.Hold(inside[3])]
    assert last((OPENED, tumbling()), *((2300, u) for u in inside), (2500, window.Deadline())) == [
        window.Close(tumbling())
    ]
