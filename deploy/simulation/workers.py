"""Training many participants of a round, in processes of their own or in this one.

What a participant trains is a function of its examples, the round and its base model alone, so the number of workers
and the order of work leave no trace in a model.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from deploy.simulation.learning import Learning, LearningPlan
from fluvial import encoding as encodings
from fluvial.edge.errors import TrainingFailed
from fluvial.edge.too_large import excess
from fluvial.edge.trainer import training_request
from fluvial.encoding import Encoded
from fluvial.encoding.fitting import encode_within
from fluvial.wire.errors import FluvialError
from fluvial.wire.records import Round, Task

_NO_DATA = Path()


class WorkerEnded(FluvialError):
    """A process that trains has ended by itself, or was killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What a participant would send: the encoded delta and its weight. fault: why it has nothing to send. beyond: the
    tensor that takes it beyond a limit."""

    encoded: Encoded
    weight: int
    fault: str = ""
    beyond: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Some participants, by number and name, who train for a round. base: file of its model. state: folder of what
    they remember between rounds."""

    task: Task
    round: Round
    members: tuple[tuple[int, str], ...]
    base: Path
    encoding: str
    state: Path


def train(learning: Learning, work: Work) -> list[Trained]:
    """In the order of the members. A delta that is not finite is not sent, as on a device."""
    base_D = np.fromfile(work.base, "<f4")
    base_D.flags.writeable = False  # everybody's
    return [_train_one(learning, work, base_D, number, name) for number, name in work.members]


def _train_one(learning: Learning, work: Work, base_D: NDArray[np.float32], number: int, name: str) -> Trained:
    round_ = work.round
    request = training_request(work.task, round_, base_D, name, _NO_DATA, number, work.state / name, learning.packages)
    try:
        trained = learning.train(number, request)
    except TrainingFailed as error:
        return Trained(encoded=Encoded([]), weight=0, fault=str(error))
    if trained is None:
        return Trained(encoded=Encoded([]), weight=0)
    delta_D, weight = trained
    found = excess(delta_D, round_)
    codec = encodings.encoder(work.encoding)
    encoded = encode_within(codec, delta_D, round_.layout, round_.chunk_elements, round_.max_norm)
    chunks = [bytes(chunk) for chunk in encoded.chunks]
    weight = min(weight, round_.max_weight)
    return Trained(encoded=Encoded(chunks, encoded.scales), weight=weight, beyond=found.tensor if found else "")


def _ended(error: BrokenProcessPool) -> WorkerEnded:
    return WorkerEnded(f"a process that trains has ended: memory for fewer --workers? ({error})")


class Workers:
    """A context manager. count: processes; 1 for this one."""

    def __init__(self, plan: LearningPlan, learning: Learning, count: int) -> None:
        self._plan, self._learning, self.count = plan, learning, count
        self._pool: ProcessPoolExecutor | None = None

    def submit(self, work: Work) -> Callable[[], list[Trained]]:
        """What gives the result, whenever it is asked for."""
        if self._pool is None:
            return cache(lambda: train(self._learning, work))
        try:
            future: Future[list[Trained]] = self._pool.submit(_train, work)
        except BrokenProcessPool as error:
            raise _ended(error) from error

        def result() -> list[Trained]:
            try:
                return future.result()
            except BrokenProcessPool as error:
                raise _ended(error) from error

        return result

    def slices(self, members: Sequence[tuple[int, str]]) -> list[tuple[tuple[int, str], ...]]:
        """The members in pieces of work: so small that no worker waits long for another."""
        size = 1 if self._pool is None else max(1, min(_LARGEST_SLICE, len(members) // (4 * self.count)))
        return [tuple(members[first : first + size]) for first in range(0, len(members), size)]

    def __enter__(self) -> Self:
        if self.count > 1:
            # The server of this context imports torch once, for all workers.
            context = multiprocessing.get_context("forkserver")
            context.set_forkserver_preload([__name__])
            self._pool = ProcessPoolExecutor(self.count, context, initializer=_open, initargs=(self._plan,))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


_LARGEST_SLICE = 32
_opened: list[Learning] = []
_faults: list[str] = []
"""Why this process has opened nothing."""


def _open(plan: LearningPlan) -> None:
    """In a worker: it leaves an interruption to the process that it works for, and ends with that one, however."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        _opened.append(plan.open())
    except ValueError as error:  # a package or data that have changed since they were opened first
        _faults.append(str(error))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _train(work: Work) -> list[Trained]:
    if not _opened:
        raise ValueError(f"a process that trains cannot open the task: {'; '.join(_faults)}")
    return train(_opened[0], work)
