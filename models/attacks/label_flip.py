"""Label flip. Source: Tolpegin et al., 2020, "Data Poisoning Attacks Against Federated Learning Systems"; the full
reversal y -> classes - 1 - y as in Allen-Zhu et al., 2020, "Byzantine-Resilient Non-Convex Stochastic Gradient
Descent"."""

import numpy as np
from numpy.typing import NDArray


def flip_labels(targets: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """int64[B] of classes - 1 - y for each label y. Raises ValueError for a label that is not 0 .. classes - 1."""
    if targets.size and not 0 <= int(targets.min()) <= int(targets.max()) < classes:
        raise ValueError(f"labels {targets.min()} .. {targets.max()} are not within {classes} classes")
    flipped: NDArray[np.int64] = classes - 1 - targets
    return flipped
