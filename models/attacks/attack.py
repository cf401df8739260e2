"""What every attack on aggregation is. Shapes: H honest updates, F Byzantine ones, D parameters."""

from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

Updates = NDArray[np.float32]
Vector = NDArray[np.float64]


class Attack(Protocol):
    """Omniscient and colluding: the Byzantine participants know the round's honest updates and agree on theirs."""

    name: ClassVar[str]

    def craft(self, honest: Updates, num_byzantine: int, random: np.random.Generator) -> Updates:
        """float32[F, D] of what num_byzantine = F >= 1 participants send. honest: float32[H, D], H >= 2.

        random: the only source of chance. Raises ValueError for updates that are no such matrix.
        """
        ...


def mean_and_deviation(honest: Updates) -> tuple[Vector, Vector]:
    """Mean and sample standard deviation (divisor H - 1) of each coordinate, float64[D] both.

    honest: float32[H, D]. Raises ValueError unless H >= 2 and all values are finite.
    """
    if honest.ndim != 2 or len(honest) < 2:
        raise ValueError(f"an attack needs a matrix of at least two honest updates, got shape {list(honest.shape)}")
    if not np.isfinite(honest).all():
        raise ValueError("honest updates are not finite")
    exact = honest.astype(np.float64)
    return exact.mean(axis=0), exact.std(axis=0, ddof=1)


def repeated(vector: Vector, num_byzantine: int) -> Updates:
    """float32[F, D]: the same update from each. Raises ValueError unless num_byzantine is at least 1."""
    if num_byzantine < 1:
        raise ValueError(f"num_byzantine must be at least 1, got {num_byzantine}")
    return np.tile(vector.astype(np.float32), (num_byzantine, 1))
