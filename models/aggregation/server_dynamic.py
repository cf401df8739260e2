"""The server's part of FedDyn. Source: Acar et al., 2021, "Federated Learning Based on Dynamic Regularization",
Algorithm 1: h = h - alpha * participation * delta, model = model + delta - h / alpha.

The other part is the participants': `dynamic_alpha` of the task's training, the same number, with which each adds the
dynamic regulariser to its loss and keeps its own gradient correction. delta is the mean over the round's participants;
the paper sums over them and divides by all devices, so participation is the share of devices that take part in a round.
"""

from dataclasses import dataclass
from typing import ClassVar

from models.aggregation.server_step import ElementwiseStep, Float32, Float64, check_positive, zeros


@dataclass(frozen=True, slots=True, kw_only=True)
class Dynamic(ElementwiseStep):
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

    def elements(
        self, base: Float32, delta: Float64, moments: tuple[Float64, ...]
    ) -> tuple[Float64, tuple[Float64, ...]]:
        """The drift, and the model moved and corrected by it."""
        drift = moments[0] - self.alpha * self.participation * delta
        return base + delta - drift / self.alpha, (drift,)
