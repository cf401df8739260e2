"""A Little Is Enough. Source: Baruch et al., 2019, "A Little Is Enough: Circumventing Defenses For Distributed
Learning".

Each coordinate is moved by z standard deviations from the honest mean: so little that, with the help of the honest
participants who lie further out, the Byzantine ones look like a majority.
"""

from dataclasses import dataclass
from math import isfinite
from statistics import NormalDist
from typing import ClassVar

import numpy as np

from models.attacks.attack import Updates, mean_and_deviation, repeated


def hidden_deviations(num_updates: int, num_byzantine: int) -> float:
    """The paper's z (section 3.2): how far one can move while enough honest updates still lie further out.

    z is the normal quantile of (n - f - s) / (n - f), where s = floor(n / 2 + 1) - f honest supporters make a
    majority of n together with f Byzantine participants. Raises ValueError unless 1 <= f < n / 2.
    """
    if not 1 <= num_byzantine < num_updates / 2:
        raise ValueError(f"num_byzantine must be at least 1 and below half of {num_updates}, got {num_byzantine}")
    num_honest = num_updates - num_byzantine
    supporters = num_updates // 2 + 1 - num_byzantine
    return NormalDist().inv_cdf((num_honest - supporters) / num_honest)


@dataclass(frozen=True, slots=True, kw_only=True)
class ALittleIsEnough:
    """Attack `a_little_is_enough`. deviations: z; by default the paper's, which is 0 for ten honest and two Byzantine.

    Other studies fix z instead (ByzFL: 1.5), which hurts small federations more.
    """

    name: ClassVar[str] = "a_little_is_enough"

    deviations: float | None = None

    def __post_init__(self) -> None:
        """Raises ValueError if the deviations are not finite."""
        if self.deviations is not None and not isfinite(self.deviations):
            raise ValueError(f"deviations must be finite, got {self.deviations}")

    def craft(self, honest: Updates, num_byzantine: int, random: np.random.Generator) -> Updates:
        """See `Attack`. Raises ValueError also, without `deviations`, for a Byzantine majority."""
        mean, deviation = mean_and_deviation(honest)
        chosen = self.deviations
        if chosen is None:
            chosen = hidden_deviations(len(honest) + num_byzantine, num_byzantine)
        return repeated(mean + chosen * deviation, num_byzantine)
