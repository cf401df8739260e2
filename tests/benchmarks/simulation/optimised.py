"""A server optimizer as the step of simulated rounds."""

import numpy as np
from numpy.typing import NDArray

from models.aggregation.server_optimizer import ServerOptimizer
from tests.benchmarks.simulation.learning import Vector


class Optimised:
    """Steps of one optimizer, with its moments from the first on; of one federation alone."""

    def __init__(self, optimizer: ServerOptimizer) -> None:
        self._optimizer = optimizer
        self._moments: tuple[Vector, ...] | None = None

    def __call__(self, model: Vector, delta: NDArray[np.float64]) -> Vector:
        """The next model float32[D]."""
        if self._moments is None:
            self._moments = self._optimizer.initial_moments(model.size)
        following, self._moments = self._optimizer.step(model, delta, self._moments)
        return following
