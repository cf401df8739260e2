"""What a participant remembers between rounds of FedDyn: the gradient of its own loss where its training last ended.

Source: Acar et al., 2021, "Federated Learning Based on Dynamic Regularization", Algorithm 1: each step's gradient is
corrected by it, and afterwards it becomes itself minus alpha times the delta. One file a task, beside the outbox. It
holds the correction as it was before the round as well: whoever crashes after training but before the update is in the
outbox trains the round again, from the same correction. Shapes: D elements of the whole model.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fluvial.edge.state_files import load_arrays, save_arrays

Vector = NDArray[np.float32]


class Correction:
    """The correction of one task, in a folder that belongs to one participant."""

    def __init__(self, folder: Path, task: str) -> None:
        self._path = folder / f"{task}.correction.npz"

    def before(self, round_number: int, size: int) -> Vector:
        """The correction float32[D] to train this round with; zeros where there was no earlier round.

        Raises ValueError for a file of a model of another size.
        """
        kept = load_arrays(self._path, "round", "before", "after")
        if kept is None:
            return np.zeros(size, np.float32)
        last, before, after = kept
        if before.shape != (size,) or after.shape != (size,):
            raise ValueError(f"{self._path} is of a model with {before.size} elements, this one has {size}")
        if round_number < last:  # the task has begun anew
            return np.zeros(size, np.float32)
        correction: Vector = before if round_number == last else after
        return correction

    def keep(self, round_number: int, before: Vector, after: Vector) -> None:
        """Keep what the round was trained with and what the next one will be; a crash leaves the last file or this."""
        save_arrays(self._path, round=np.int64(round_number), before=before, after=after)
