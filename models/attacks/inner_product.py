"""Inner-product manipulation. Source: Xie et al., 2020, "Fall of Empires: Breaking Byzantine-tolerant SGD by Inner
Product Manipulation".

A small factor stays among the honest updates and turns the aggregate's inner product with the true direction negative
where honest updates scatter widely; a large one destroys whatever averages.
"""

from dataclasses import dataclass
from math import isfinite
from typing import ClassVar

import numpy as np

from models.attacks.attack import Updates, mean_and_deviation, repeated


@dataclass(frozen=True, slots=True, kw_only=True)
class InnerProductManipulation:
    """Attack `inner_product`: every Byzantine participant sends minus `factor` times the honest mean."""

    name: ClassVar[str] = "inner_product"

    factor: float

    def __post_init__(self) -> None:
        """Raises ValueError unless the factor is positive."""
        if not (isfinite(self.factor) and self.factor > 0):
            raise ValueError(f"factor must be positive, got {self.factor}")

    def craft(self, honest: Updates, num_byzantine: int, random: np.random.Generator) -> Updates:
        """See `Attack`."""
        mean, _ = mean_and_deviation(honest)
        return repeated(-self.factor * mean, num_byzantine)
