"""How long simulated participants take to train and send an update: log-normal, most around the median, a few many
times as long. Each keeps its own speed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class Durations:
    """median_ms: of a typical participant. between: deviation of the logarithm between participants; within: from one
    round to the next of the same participant."""

    median_ms: float
    between: float = 0.5
    within: float = 0.2
    seed: int = 0

    def of(self, participant: int, round_number: int) -> int:
        """Milliseconds, at least 1."""
        speed = np.random.default_rng([self.seed, participant]).normal(0.0, 1.0)
        noise = np.random.default_rng([self.seed, participant, 1 + round_number]).normal(0.0, 1.0)
        return max(1, round(self.median_ms * float(np.exp(self.between * speed + self.within * noise))))
