"""When a round closes, and on which updates.

time:      1000 opened ......... 2000 deadline .. 2500 grace over
"""

from dataclasses import replace

from pipelines.aggregation import window
from tests.unit.pipelines.aggregation.builders import a_round, an_update

GRACE_MS = 500


def run(*events: tuple[int, object]) -> tuple[window.Window, list[window.Effect]]:
    state, all_effects = window.Window(), []
    for now_ms, event in events:
        state, effects = window.step(state, event, now_ms, late_grace_ms=GRACE_MS)  # type: ignore[arg-type]
        assert window.Window.load(state.dump(), state.round) == state
        all_effects.extend(effects)
    return state, all_effects


def test_the_target_closes_the_round_at_once() -> None:
    round_, updates = a_round(), [an_update(i) for i in range(4)]
    state, effects = run((1000, round_), *((1500, update) for update in updates))
    assert effects == [
        window.Begin(round_),
        window.WakeAt(2500),
        window.AdmitHeld(),
        *(window.Admit(update) for update in updates[:3]),
        window.Close(round_),
        window.Late(updates[3]),
    ]
    assert state.phase is window.Phase.CLOSED


def test_the_deadline_closes_a_round_that_has_its_quorum() -> None:
    round_ = a_round()
    _, effects = run((1000, round_), (1100, an_update(1)), (1200, an_update(2)), (2500, window.Deadline()))
    assert effects[-1] == window.Close(round_)


def test_the_deadline_fails_a_round_without_quorum_openly() -> None:
    round_ = a_round()
    _, effects = run((1000, round_), (1100, an_update(1)), (2500, window.Deadline()))
    assert effects[-1] == window.Fail(round_)


def test_silence_fails_the_round_too() -> None:
    _, effects = run((1000, a_round()), (2500, window.Deadline()))
    assert effects[-1] == window.Fail(a_round())


def test_a_timer_before_the_grace_is_over_does_nothing() -> None:
    _, effects = run((1000, a_round()), (2400, window.Deadline()))
    assert effects[-1] == window.AdmitHeld()


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


def test_an_update_of_a_former_attempt_is_late() -> None:
    second = a_round(attempt=2, deadline_ms=4000)
    former = an_update(1)
    _, effects = run((1000, a_round()), (3000, second), (3100, former))
    assert effects[-1] == window.Late(former)


def test_a_repeated_round_record_changes_nothing() -> None:
    state, effects = run((1000, a_round()), (1100, an_update(1)), (1200, replace(a_round(), deadline_ms=9)))
    assert effects[-1] == window.Admit(an_update(1))
    assert state.num_admitted == 1


def test_a_round_that_is_over_keeps_little() -> None:
    updates = [an_update(i) for i in range(3)]
    state, effects = run((1000, a_round()), *((1500, update) for update in updates))
    assert effects[-1] == window.Close(a_round())
    assert state.round is not None
    assert state.round.layout == ()
