"""Sign flip: the honest mean, negated. Source: Li et al., 2019, "RSA: Byzantine-Robust Stochastic Aggregation"."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from models.attacks.attack import Updates, mean_and_deviation, repeated


@dataclass(frozen=True, slots=True, kw_only=True)
class SignFlip:
    """Attack `sign_flip`: every Byzantine participant sends minus the honest mean."""

    name: ClassVar[str] = "sign_flip"

    def craft(self, honest: Updates, num_byzantine: int, random: np.random.Generator) -> Updates:
        """See `Attack`."""
        mean, _ = mean_and_deviation(honest)
        return repeated(-mean, num_byzantine)
