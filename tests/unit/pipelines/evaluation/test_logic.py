"""Which models are still to be measured."""

from hypothesis import given
from hypothesis import strategies as st

from fluvial.wire.records import Release
from pipelines.evaluation import logic
from pipelines.evaluation.logic import Measured


def release(version: int, task: str = "toy") -> Release:
    return Release(
        task=task, version=version, model_digest=bytes(32), metrics=(), num_examples=0, device="", duration_ms=0
    )


def test_a_manifest_that_comes_again_is_passed_over() -> None:
    measured, wanted = Measured().take(0)
    assert wanted
    measured, wanted = measured.take(1)
    assert wanted
    assert measured.take(0) == measured.take(1) == (measured, False)
    assert logic.load(logic.dump(measured)) == measured


def test_without_state_the_log_says_what_was_measured() -> None:
    measured = logic.of_log([release(0), release(2), release(1, "other")])["toy"]
    wanted = []
    for version in range(4):
        measured, new = measured.take(version)
        measured = logic.load(logic.dump(measured))
        wanted += [version] * new
    assert wanted == [1, 3]
    assert measured == Measured(through=3), "what lies behind is forgotten"


@given(st.lists(st.tuples(st.integers(0, 8), st.booleans()), max_size=60))
def test_each_version_is_measured_once_whatever_comes_again_and_whenever_state_is_lost(
    history: list[tuple[int, bool]],
) -> None:
    """Topic models grows version by version; a reader may be thrown back to any place, with its state or without."""
    released: list[Release] = []
    state: Measured | None = None
    place = newest = 0
    for back, lost in history:
        newest += 1
        for version in range(place, newest):
            state = state or logic.of_log(released).get("toy", Measured())
            state, wanted = state.take(version)
            released += [release(version)] * wanted
        place = max(0, newest - back)
        if lost:
            state, place = None, 0
    assert [r.version for r in released] == list(range(newest))
