"""What a participant remembers between the rounds of a task: an array of one kind, in one file beside the outbox.

Kinds: `correction`, the gradient of its own loss where training last ended (FedDyn: Acar et al., 2021, "Federated
Learning Based on Dynamic Regularization", Algorithm 1), float32[D]; `personal`, the parts of the model that stay with
the participant, uint8[N]. The file holds the array as it was before the round as well: whoever crashes after training
but before the update is in the outbox trains the round again, from the same memory.
"""

from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from fluvial.edge.state_files import load_arrays, save_arrays

Kind = Literal["correction", "personal"]
Element = TypeVar("Element", bound=np.generic)


class RoundMemory:
    """The memory of one task, in a folder that belongs to one participant."""

    def __init__(self, folder: Path, task: str, kind: Kind) -> None:
        self._path = folder / f"{task}.{kind}.npz"

    def before(self, round_number: int, initial: NDArray[Element]) -> NDArray[Element]:
        """What to train this round with; `initial` where there was no earlier round.

        Raises ValueError for a file of a model of another size.
        """
        kept = load_arrays(self._path, "round", "before", "after")
        if kept is None:
            return initial
        last, before, after = kept
        if any(array.shape != initial.shape or array.dtype != initial.dtype for array in (before, after)):
            raise ValueError(f"{self._path} is of a model with {before.size} elements, this one has {initial.size}")
        if round_number < last:  # the task has begun anew
            return initial
        found: NDArray[Element] = before if round_number == last else after
        return found

    def keep(self, round_number: int, before: NDArray[Element], after: NDArray[Element]) -> None:
        """Keep what the round was trained with and what the next one will be; a crash leaves the last file or this."""
        save_arrays(self._path, round=np.int64(round_number), before=before, after=after)
