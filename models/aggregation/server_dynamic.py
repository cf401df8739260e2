"""The server's part of FedDyn. Source: Acar et al., 2021, "Federated Learning Based on Dynamic Regularization",
Algorithm 1: h = h - alpha * participation * delta, model = model + delta - h / alpha.

The other part is the participants': `dynamic_alpha` of the task's training, the same number, with which each adds the
dynamic regulariser to its loss and keeps its own gradient correction. delta is the mean over the round's participants;
the paper sums over them and divides by all devices, so participation is the share of devices that take part in a round.
"""

from dataclasses import dataclass
from typing import ClassVar

from models.aggregation.server_step import Float32, Float64, check_positive, check_shapes, zeros


@dataclass(frozen=True, slots=True, kw_only=True)
class Dynamic:
    """Server optimizer `dynamic`. alpha: of the regulariser. participation: share of devices in a round, up to 1."""

    name: ClassVar[str] = "dynamic"
    moments: ClassVar[tuple[str, ...]] = ("drift",)

    alpha: float
    participation: float = 1.0

    def __post_init__(self) -> None:
        """Raises ValueError for parameters out of their range."""
        check_positive("alpha", self.alpha)
        if not 0 < self.participation <= 1:
            raise ValueError(f"participation must be above 0 and at most 1, got {self.participation}")

    def initial_moments(self, size: int) -> tuple[Float32, ...]:
        """No drift."""
        return (zeros(size),)

    def step(self, base: Float32, delta: Float64, moments: tuple[Float32, ...]) -> tuple[Float32, tuple[Float32, ...]]:
        """New model and drift. Raises ValueError for shapes that differ."""
        (before,) = check_shapes(base, delta, moments, 1)
        drift = before - self.alpha * self.participation * delta
        return (base + delta - drift / self.alpha).astype("f4"), (drift.astype("f4"),)
