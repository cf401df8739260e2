"""Synchronous rounds: some participants are invited, the first `target` updates make the next model."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.simulation.durations import Durations
from tests.benchmarks.simulation.learning import Learning, Point, Vector
from tests.benchmarks.simulation.server import Server, applied

Step = Callable[[Vector, NDArray[np.float64]], Vector]
"""From a model and the mean delta to the next model: a server optimizer with its moments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """invited: participants asked in each round. Those who come after the server's target have trained for nothing.

    durations: of trainings; without them no time passes.
    """

    invited: int
    server: Server
    durations: Durations | None = None
    seed: int = 0

    def run(self, learning: Learning, step: Step = applied) -> Iterator[Point]:
        """The model after each round, without end."""
        model, time, updates, version = learning.initial(), 0.0, 0, 0
        random = np.random.default_rng(self.seed)
        while True:
            asked = [int(one) for one in random.choice(learning.num_participants, self.invited, replace=False)]
            taken, lasts = self._first(asked, version)
            deltas = learning.train(model, taken, [version] * len(taken))
            names = [f"participant-{one}" for one in taken]
            delta = self.server.delta(deltas, names, learning.weights(taken))
            if delta is not None:
                model = step(model, delta)
            version, updates, time = version + 1, updates + len(taken), time + lasts
            yield Point(version=version, updates=updates, time=time, accuracy=learning.accuracy(model))

    def _first(self, asked: list[int], version: int) -> tuple[list[int], float]:
        """Who is in time, and how long the round lasts."""
        if self.durations is None:
            return asked[: self.server.target], 0.0
        arrivals = sorted((self.durations.of(one, version), one) for one in asked)[: self.server.target]
        return [one for _, one in arrivals], arrivals[-1][0]
