"""Gaussian noise instead of an update. Source: Blanchard et al., 2017, "Machine Learning with Adversaries: Byzantine
Tolerant Gradient Descent", section 6."""

from dataclasses import dataclass
from math import isfinite
from typing import ClassVar

import numpy as np

from models.attacks.attack import Updates, mean_and_deviation


@dataclass(frozen=True, slots=True, kw_only=True)
class GaussianNoise:
    """Attack `gaussian_noise`: independent normal values of mean 0. deviation: their standard deviation."""

    name: ClassVar[str] = "gaussian_noise"

    deviation: float = 1.0

    def __post_init__(self) -> None:
        """Raises ValueError unless the deviation is positive."""
        if not (isfinite(self.deviation) and self.deviation > 0):
            raise ValueError(f"deviation must be positive, got {self.deviation}")

    def craft(self, honest: Updates, num_byzantine: int, random: np.random.Generator) -> Updates:
        """See `Attack`; only the shape of the honest updates is used."""
        mean, _ = mean_and_deviation(honest)
        if num_byzantine < 1:
            raise ValueError(f"num_byzantine must be at least 1, got {num_byzantine}")
        return random.normal(0.0, self.deviation, (num_byzantine, mean.size)).astype(np.float32)
