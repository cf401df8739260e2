"""Answers come while the source goes on, in the order of the examples."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest

from fluvial.inference.client import Answer, InferenceRefused
from fluvial.inference.streaming import Answered, answers
from fluvial.kafka import TransportUnavailable
from fluvial.wire.records import InferenceStatus


class Doubles:
    """Answers at once with twice the inputs; refuses what is negative; is silent for 100 and more."""

    def submit(self, task: str, inputs: Any, deadline_ms: int = 0) -> Future[Answer]:
        future: Future[Answer] = Future()
        if inputs.max() >= 100:
            return future
        if inputs.min() < 0:
            future.set_exception(InferenceRefused(InferenceStatus.BAD_INPUT, "negative"))
        else:
            future.set_result(
                Answer(outputs=2 * inputs, promotion=1, version=3, variant="onnx", artefact_sha256=bytes(32))
            )
        return future


def examples(*values: float) -> Iterator[tuple[str, Any]]:
    for value in values:
        yield f"e{value}", np.full(3, value, np.float32)


def test_each_example_has_its_answer_or_the_reason_why_not() -> None:
    first, second, third = answers(Doubles(), "t", examples(1, -1, 2))
    assert isinstance(first, Answered)
    assert first.label == "e1"
    assert first.outputs.tolist() == [2, 2, 2]
    assert isinstance(second, tuple)
    assert (second[0], second[1].status) == ("e-1", InferenceStatus.BAD_INPUT)
    assert isinstance(third, Answered)
    assert third.answer.version == 3


def test_an_answer_does_not_wait_for_the_next_example() -> None:
    more = threading.Event()

    def slow() -> Iterator[tuple[str, Any]]:
        yield from examples(1)
        more.wait(10)
        yield from examples(2)

    stream = answers(Doubles(), "t", slow())
    first = next(stream)
    assert isinstance(first, Answered)
    assert not more.is_set()
    more.set()
    assert len(list(stream)) == 1


def test_what_the_source_raises_comes_after_the_answers_before_it() -> None:
    def broken() -> Iterator[tuple[str, Any]]:
        yield from examples(1)
        raise ValueError("line 2 is no measurement")

    stream = answers(Doubles(), "t", broken())
    assert isinstance(next(stream), Answered)
    with pytest.raises(ValueError, match="line 2"):
        next(stream)


def test_a_stage_that_does_not_answer_is_told() -> None:
    with pytest.raises(TransportUnavailable, match="is the stage inference running"):
        list(answers(Doubles(), "t", examples(100), timeout=0.05))
