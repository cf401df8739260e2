"""Questions that are asked at the same time."""

from __future__ import annotations

import threading

import pytest

from fluvial.kafka.asked import Asked
from fluvial.kafka.recovering import TOLD_SOON


def test_questions_run_at_the_same_time_and_each_has_its_answer() -> None:
    both = threading.Barrier(2, timeout=60.0)

    def question(answer: str) -> str:
        both.wait()
        return answer

    first, second = Asked(lambda: question("a")), Asked(lambda: question("b"))
    assert (first.answer(), second.answer(), first.answer()) == ("a", "b", "a")


def test_what_a_question_raises_is_raised_where_its_answer_is_wanted() -> None:
    asked = Asked(lambda: [][0])
    with pytest.raises(IndexError):
        asked.answer()


def test_a_question_is_asked_in_the_context_of_who_asks() -> None:
    token = TOLD_SOON.set(True)
    try:
        asked = Asked(TOLD_SOON.get)
    finally:
        TOLD_SOON.reset(token)
    assert asked.answer() is True


def test_nobody_waits_at_the_end_for_a_question_whose_answer_is_not_wanted() -> None:
    asked = Asked(threading.Event().wait)
    assert asked._thread.daemon
