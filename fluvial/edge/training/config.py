"""How a participant trains in one round: the `training` part of a task file."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import isfinite
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """Stochastic gradient descent on the cross-entropy loss.

    epochs: passes over the participant's examples per round. batch_size: examples per step. momentum: of the velocity,
    which starts at zero each round. weight_decay: added to the gradient, times the weights.

    Two ways to keep participants with different data together, both pulling towards the round's base model:
    proximal_mu: the loss plus mu / 2 * |w - base|^2. Source: Li et al., 2020, "Federated Optimization in Heterogeneous
    Networks" (FedProx). dynamic_alpha: the same with alpha, and the gradient at the end of the participant's last round
    taken off, which it remembers (`correction`); the task's server optimizer is then `dynamic` with the same alpha, and
    its rule counts participants alike. Source: Acar et al., 2021, "Federated Learning Based on Dynamic Regularization"
    (FedDyn).
    """

    epochs: int
    batch_size: int
    learning_rate: float
    momentum: float = 0.0
    weight_decay: float = 0.0
    proximal_mu: float = 0.0
    dynamic_alpha: float = 0.0

    def __post_init__(self) -> None:
        """Raises ValueError for values that cannot train."""
        if self.epochs < 1 or self.batch_size < 1:
            raise ValueError(f"epochs and batch_size must be at least 1, got {self.epochs} and {self.batch_size}")
        if not (isfinite(self.learning_rate) and self.learning_rate > 0):
            raise ValueError(f"learning_rate must be positive, got {self.learning_rate}")
        if not (0 <= self.momentum < 1 and isfinite(self.weight_decay) and self.weight_decay >= 0):
            raise ValueError(f"momentum {self.momentum} must be in [0, 1), weight_decay {self.weight_decay} at least 0")
        for name, pull in (("proximal_mu", self.proximal_mu), ("dynamic_alpha", self.dynamic_alpha)):
            if not (isfinite(pull) and pull >= 0):
                raise ValueError(f"{name} must be at least 0, got {pull}")

    @property
    def pull(self) -> float:
        """How strongly the weights are pulled towards the base model: factor of their difference in the gradient."""
        return self.proximal_mu + self.dynamic_alpha

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> "TrainingConfig":
        """From the task's `training` object. Raises ValueError for unknown, missing or unusable values."""
        truths = [name for name, value in values.items() if isinstance(value, bool)]
        if truths:
            raise ValueError(f"training parameters do not fit: {', '.join(sorted(truths))} must be a number")
        names = {field.name for field in fields(cls)}
        unknown = sorted(set(values) - names)
        if unknown:
            raise ValueError(
                f"unknown training parameters: {', '.join(unknown)}; the built-in trainer has "
                f"{', '.join(sorted(names))}"
            )
        try:
            return cls(**values)
        except (TypeError, OverflowError) as error:
            raise ValueError(f"training parameters do not fit: {error}") from error
