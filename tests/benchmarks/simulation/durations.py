"""How long simulated participants take to train and send an update.

Log-normal: most lie around the median, a few take many times as long. No unit: a typical participant's median is 1.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class Durations:
    """Log-normal times. between: deviation of the logarithm between participants, each of which keeps its own speed.
    within: from one training to the next of the same participant."""

    between: float
    within: float
    seed: int = 0

    def of(self, participant: int, training: int) -> float:
        """Time of a participant's training; `training` tells its trainings apart."""
        speed = np.random.default_rng([self.seed, participant]).normal(0.0, 1.0)
        noise = np.random.default_rng([self.seed, participant, 1 + training]).normal(0.0, 1.0)
        return float(np.exp(self.between * speed + self.within * noise))
