"""Which models are still to be measured."""

from hypothesis import given
from hypothesis import strategies as st

from fluvial.wire.records import Release
from pipelines.evaluation import logic
from pipelines.evaluation.logic import Measured, Turn


def release(version: int, task: str = "toy", reason: str = "", *, again: bool = False) -> Release:
    return Release(
        task=task, version=version, model_digest=bytes(32), metrics=(), num_examples=0, device="", duration_ms=0,
        reason=reason, again=again,
    )  # fmt: skip


def test_a_manifest_that_comes_again_is_passed_over() -> None:
    measured, turn = Measured().take(0)
    assert turn is Turn.FIRST
    measured, turn = measured.take(1)
    assert turn is Turn.FIRST
    assert measured.take(0) == measured.take(1) == (measured, Turn.NOTHING)
    assert logic.load(logic.dump(measured)) == measured


def test_without_state_the_log_says_what_was_measured() -> None:
    measured = logic.of_log([release(0), release(2), release(1, "other")])["toy"]
    wanted = []
    for version in range(4):
        measured, turn = measured.take(version)
        measured = logic.load(logic.dump(measured))
        wanted += [version] * (turn is Turn.FIRST)
    assert wanted == [1, 3]
    assert measured == Measured(through=3), "what lies behind is forgotten"


def test_what_was_not_measured_has_one_more_turn_in_a_job_without_state_until_it_was() -> None:
    log = [release(0, reason="not allowed"), release(1, reason="not allowed"), release(0, again=True)]
    measured = logic.of_log(log)["toy"]
    assert measured == Measured(ahead=frozenset({0, 1}), without=frozenset({1}))
    turns = []
    for version in (0, 1, 2, 1):
        measured, turn = logic.load(logic.dump(measured)).take(version)
        turns.append(turn)
    assert turns == [Turn.NOTHING, Turn.AGAIN, Turn.FIRST, Turn.NOTHING]


@given(st.lists(st.tuples(st.integers(0, 8), st.booleans()), max_size=60))
def test_each_version_is_measured_once_whatever_comes_again_and_whenever_state_is_lost(
    history: list[tuple[int, bool]],
) -> None:
    """Topic models grows version by version; a reader may be thrown back to any place, with its state or without. Odd
    versions cannot be measured until the second loss of state, after which a submission can."""
    released: list[Release] = []
    state: Measured | None = None
    place = newest = losses = 0
    for back, lost in history:
        newest += 1
        for version in range(place, newest):
            state = state or logic.of_log(released).get("toy", Measured())
            state, turn = state.take(version)
            able = losses >= 2 or not version % 2
            if turn is Turn.FIRST:
                released.append(release(version, reason="" if able else "not allowed"))
            elif turn is Turn.AGAIN and able:
                released.append(release(version, again=True))
        place = max(0, newest - back)
        if lost:
            state, place, losses = None, 0, losses + 1
    assert [r.version for r in released if not r.again] == list(range(newest))
    again = [r.version for r in released if r.again]
    assert len(again) == len(set(again)) <= sum(bool(r.reason) for r in released)
    assert set(again) <= {r.version for r in released if r.reason}
    caught_up = state is not None and losses >= 2
    assert not caught_up or set(again) == {r.version for r in released if r.reason}
