from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fluvial.edge.error_feedback import ErrorFeedback, state_folder
from fluvial.encoding import Encoded, encoder
from fluvial.encoding.fitting import decoded, norm_of
from fluvial.wire.records import Outcome, Receipt, Round
from tests.unit.fluvial.edge.world import CHUNK_ELEMENTS, LAYOUT, TASK, World

SIZE = 1050
TOP_K = encoder("top_k")


@pytest.fixture
def feedback(tmp_path: Path) -> ErrorFeedback:
    return ErrorFeedback(state_folder(tmp_path / "alice.sqlite"))


@pytest.fixture
def round_(world: World) -> Round:
    return replace(world.open_round(), encodings=("top_k",), max_norm=0.0, max_abs=10.0)


def delta(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(SIZE).astype(np.float32)


def values(encoded: Encoded) -> np.ndarray:
    return np.concatenate(list(decoded(TOP_K, encoded, LAYOUT, CHUNK_ELEMENTS)))


def receipt(update_id: str, outcome: Outcome) -> Receipt:
    return Receipt(
        task=TASK,
        round=1,
        attempt=1,
        participant="alice",
        update_id=update_id,
        outcome=outcome,
        version=1,
        weight=1,
        model_digest=bytes(32),
    )


def test_what_an_update_left_out_is_in_the_next_one_once_it_is_in_a_model(
    feedback: ErrorFeedback, round_: Round
) -> None:
    first = values(feedback.encode(TOP_K, round_, delta(1), "one"))
    feedback.answered(receipt("one", Outcome.INCLUDED))
    second = values(feedback.encode(TOP_K, replace(round_, round=2), np.zeros(SIZE, np.float32), "two"))
    plain = TOP_K.encode(delta(1) - first, LAYOUT, CHUNK_ELEMENTS)
    np.testing.assert_array_equal(second, values(plain))


def test_over_many_rounds_nothing_is_lost(feedback: ErrorFeedback, round_: Round) -> None:
    sent, wanted = np.zeros(SIZE), np.zeros(SIZE)
    for number in range(1, 30):
        wanted += delta(number)
        sent += values(feedback.encode(TOP_K, replace(round_, round=number), delta(number), f"update-{number}"))
        feedback.answered(receipt(f"update-{number}", Outcome.INCLUDED))
    idle = 0
    while np.abs(wanted - sent).max() > 1e-3 and idle < 60:
        idle += 1
        nothing = np.zeros(SIZE, np.float32)
        sent += values(feedback.encode(TOP_K, replace(round_, round=29 + idle), nothing, f"idle-{idle}"))
        feedback.answered(receipt(f"idle-{idle}", Outcome.INCLUDED))
    assert idle < 60


@pytest.mark.parametrize("outcome", [Outcome.EXCLUDED, Outcome.LATE, None])
def test_of_an_update_that_is_in_no_model_the_old_residual_stays(
    feedback: ErrorFeedback, round_: Round, outcome: Outcome | None
) -> None:
    feedback.encode(TOP_K, round_, delta(1), "one")
    feedback.answered(receipt("one", Outcome.INCLUDED))
    before = values(feedback.encode(TOP_K, replace(round_, round=2), delta(2), "lost"))
    if outcome is not None:
        feedback.answered(receipt("lost", outcome))
    again = values(feedback.encode(TOP_K, replace(round_, round=3), delta(2), "three"))
    np.testing.assert_array_equal(again, before)


def test_a_round_that_failed_decides_nothing_and_its_next_attempt_does(feedback: ErrorFeedback, round_: Round) -> None:
    first = values(feedback.encode(TOP_K, round_, delta(1), "one"))
    feedback.answered(receipt("one", Outcome.ROUND_FAILED))
    feedback.answered(receipt("another", Outcome.INCLUDED))
    feedback.answered(receipt("one.2", Outcome.INCLUDED))
    second = values(feedback.encode(TOP_K, replace(round_, round=2), np.zeros(SIZE, np.float32), "two"))
    np.testing.assert_array_equal(second, values(TOP_K.encode(delta(1) - first, LAYOUT, CHUNK_ELEMENTS)))


def test_a_receipt_that_comes_twice_counts_once(feedback: ErrorFeedback, round_: Round) -> None:
    feedback.encode(TOP_K, round_, delta(1), "one")
    feedback.answered(receipt("one", Outcome.INCLUDED))
    expected = values(feedback.encode(TOP_K, replace(round_, round=2), delta(2), "two"))
    feedback.answered(receipt("one", Outcome.INCLUDED))
    np.testing.assert_array_equal(values(feedback.encode(TOP_K, replace(round_, round=2), delta(2), "two")), expected)


def test_what_is_owed_does_not_take_a_delta_beyond_the_limits_that_it_keeps(
    feedback: ErrorFeedback, round_: Round
) -> None:
    limit = float(np.linalg.norm(delta(1)))
    for number in range(1, 6):
        asked = replace(round_, round=number, max_norm=limit, max_abs=4.0)
        given = delta(1) if number < 5 else delta(1) * np.float32(3)
        sent = values(feedback.encode(TOP_K, asked, given, f"update-{number}"))
        assert (norm_of([sent]) <= limit * (1 + 1e-6)) == (number < 5), "a delta that is too long is sent as it is"
        assert (np.abs(sent).max() <= 4.0) == (number < 5)
        feedback.answered(receipt(f"update-{number}", Outcome.INCLUDED))


def test_a_task_that_begins_anew_owes_nothing_and_another_model_is_refused(
    feedback: ErrorFeedback, round_: Round
) -> None:
    feedback.encode(TOP_K, replace(round_, round=5), delta(1), "one")
    feedback.answered(receipt("one", Outcome.INCLUDED))
    anew = values(feedback.encode(TOP_K, round_, delta(2), "two"))
    np.testing.assert_array_equal(anew, values(TOP_K.encode(delta(2), LAYOUT, CHUNK_ELEMENTS)))
    with pytest.raises(ValueError, match="1050 elements"):
        feedback.encode(TOP_K, replace(round_, round=2), np.zeros(10, np.float32), "three")


def test_waiting_ends_with_the_answer_or_when_it_is_over(feedback: ErrorFeedback, round_: Round) -> None:
    polls: list[int] = []
    feedback.wait(TASK, lambda: polls.append(1), lambda: False)
    assert not polls, "nothing is waited for"
    feedback.encode(TOP_K, round_, delta(1), "one")

    def poll() -> None:
        polls.append(1)
        if len(polls) == 3:
            feedback.answered(receipt("one", Outcome.INCLUDED))

    feedback.wait(TASK, poll, lambda: False)
    assert len(polls) == 3
    feedback.encode(TOP_K, round_, delta(1), "two")
    feedback.wait(TASK, poll, lambda: len(polls) >= 5)
    assert len(polls) == 5
