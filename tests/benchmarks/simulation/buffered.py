"""Buffered asynchronous aggregation. Source: Nguyen et al., 2022, "Federated Learning with Buffered Asynchronous
Aggregation" (FedBuff)."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tests.benchmarks.simulation.durations import Durations
from tests.benchmarks.simulation.learning import Learning, Point, Vector
from tests.benchmarks.simulation.server import Server, applied


@dataclass(frozen=True, slots=True, kw_only=True)
class Buffered:
    """concurrency: participants that train at any time, each from the version that was newest when it began.

    Whenever the server's target of updates has come they make the next version, older ones counting less; who has sent
    an update is replaced at once by somebody who is idle.
    """

    concurrency: int
    server: Server
    durations: Durations
    seed: int = 0

    def run(self, learning: Learning) -> Iterator[Point]:
        """The model after each buffer, without end.

        A training's outcome is computed when its buffer is full: it depends on base and participant alone.
        """
        random = np.random.default_rng(self.seed)
        models: dict[int, Vector] = {0: learning.initial()}
        version, updates, started = 0, 0, 0
        training: list[tuple[float, int, int]] = []
        idle = [int(one) for one in random.permutation(learning.num_participants)]

        def start(time: float) -> None:
            nonlocal started
            participant = idle.pop(int(random.integers(len(idle))))
            ends = time + self.durations.of(participant, started)
            heapq.heappush(training, (ends, participant, version))
            started += 1

        for _ in range(self.concurrency):
            start(0.0)
        buffer: list[tuple[int, int]] = []
        while True:
            time, participant, base = heapq.heappop(training)
            buffer.append((participant, base))
            full = len(buffer) == self.server.target
            if full:
                models[version + 1] = self._next(learning, models, version, buffer)
                version, updates = version + 1, updates + len(buffer)
                buffer = []
                needed = {began for _, _, began in training} | {version}
                models = {number: model for number, model in models.items() if number in needed}
            idle.append(participant)
            start(time)
            if full:
                accuracy = learning.accuracy(models[version])
                yield Point(version=version, updates=updates, time=time, accuracy=accuracy)

    def _next(
        self, learning: Learning, models: dict[int, Vector], version: int, buffer: list[tuple[int, int]]
    ) -> Vector:
        participants, bases = [one for one, _ in buffer], [base for _, base in buffer]
        deltas = learning.train(np.stack([models[base] for base in bases]), participants, bases)
        delta = self.server.delta(
            deltas,
            [f"participant-{one}" for one in participants],
            learning.weights(participants),
            [version - base for base in bases],
        )
        return applied(models[version], delta)
