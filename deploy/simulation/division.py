"""Dealing a task's examples to as many participants as are asked for. Every participant gets rows of the data, int64,
ascending, and nobody else does."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]


def divided(groups: Sequence[Rows], num_participants: int, seed: int) -> list[Rows]:
    """The rows of each participant, from those of the groups in the data (who wrote the examples, where they lie).

    As many as there are groups: the groups. More: each group is shuffled and cut in parts, the larger ones in more, so
    that nobody has examples of two groups. Fewer: whole groups are shuffled and dealt out in turn. Raises ValueError
    for more participants than examples.
    """
    sizes = [len(rows) for rows in groups]
    if num_participants > sum(sizes):
        raise ValueError(f"{sum(sizes)} examples are too few for {num_participants} participants")
    random = np.random.default_rng(seed)
    if num_participants == len(groups):
        return list(groups)
    if num_participants < len(groups):
        order = random.permutation(len(groups))
        return [
            np.sort(np.concatenate([groups[index] for index in order[first::num_participants]]))
            for first in range(num_participants)
        ]
    return [
        np.sort(part)
        for rows, parts in zip(groups, _parts(sizes, num_participants), strict=True)
        for part in np.array_split(random.permutation(rows), parts)
    ]


def _parts(sizes: Sequence[int], num_participants: int) -> list[int]:
    """Parts of each group: at least one, otherwise by size, what rounding leaves to the largest parts."""
    parts = [max(1, floor(num_participants * size / sum(sizes))) for size in sizes]
    while sum(parts) != num_participants:
        step = 1 if sum(parts) < num_participants else -1
        movable = [index for index, size in enumerate(sizes) if 1 <= parts[index] + step <= size]
        chosen = max(movable, key=lambda index: (step * sizes[index] / parts[index], -index))
        parts[chosen] += step
    return parts
