"""Asking as examples come: an answer is given as soon as it is there, however long the next example takes."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from fluvial.inference.client import TIMEOUT_SECONDS, Answer, InferenceRefused
from fluvial.kafka import TransportUnavailable

T = TypeVar("T")

OUTSTANDING = 256
"""Requests that may be under way before the source waits."""


class Submits(Protocol):
    """What is used of `fluvial.inference.client.Client`."""

    def submit(self, task: str, inputs: NDArray[np.float32], deadline_ms: int = 0) -> Future[Answer]: ...


@dataclass(frozen=True, slots=True, eq=False)
class Answered(Generic[T]):
    """label: what came with the example. outputs: of the example alone, float32[...]. seconds: from asking to the
    answer."""

    label: T
    outputs: NDArray[np.float32]
    answer: Answer
    seconds: float


def answers(
    client: Submits,
    task: str,
    examples: Iterable[tuple[T, NDArray[np.float32]]],
    timeout: float = TIMEOUT_SECONDS,
) -> Iterator[Answered[T] | tuple[T, InferenceRefused]]:
    """The answer to each example, in their order; for a request that got no outputs its label and why.

    examples: label and float32[...], one at a time; read in a thread of its own. Raises TransportUnavailable where no
    answer comes in `timeout` seconds, and whatever reading the examples raises, after the answers to those before.
    """
    under_way: queue.Queue[tuple[T, Future[Answer], float, list[float]] | BaseException | None] = queue.Queue(
        OUTSTANDING
    )
    ended = threading.Event()

    def ask() -> None:
        try:
            for label, example in examples:
                asked, came = time.monotonic(), list[float]()
                future = client.submit(task, np.asarray(example, np.float32)[None])
                future.add_done_callback(lambda _, came=came: came.append(time.monotonic()))  # type: ignore[misc]
                under_way.put((label, future, asked, came))
                if ended.is_set():
                    return
        except BaseException as error:  # whatever a source raises; it belongs to who reads the answers
            under_way.put(error)
        else:
            under_way.put(None)

    threading.Thread(target=ask, name="fluvial-examples", daemon=True).start()
    try:
        while (one := under_way.get()) is not None:
            if isinstance(one, BaseException):
                raise one
            label, future, asked, came = one
            try:
                answer = future.result(timeout)
            except InferenceRefused as error:
                yield label, error
            except TimeoutError as error:
                raise TransportUnavailable(
                    f"no answer within {timeout:.0f} s: is the stage inference running (fluvial submit inference)?"
                ) from error
            else:
                seconds = (came[0] if came else time.monotonic()) - asked
                yield Answered(label, answer.outputs[0], answer, seconds)
    finally:
        ended.set()
