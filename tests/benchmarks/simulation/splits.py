"""Who has which examples. Every split gives each participant its rows of the pooled examples, ascending, int64."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]


def by_chance(num_examples: int, num_participants: int, seed: int) -> list[Rows]:
    """Independent and identically distributed: shuffled and dealt out, sizes differing by at most one."""
    order = np.random.default_rng(seed).permutation(num_examples)
    return [np.sort(part) for part in np.array_split(order, num_participants)]


def by_group(groups: NDArray[np.int64], num_participants: int, seed: int) -> list[Rows]:
    """Whole groups (a group is what one person wrote), shuffled and dealt out in turn, so that each participant has
    some of them. Raises ValueError for fewer groups than participants."""
    names = np.unique(groups)
    if len(names) < num_participants:
        raise ValueError(f"{len(names)} groups are too few for {num_participants} participants")
    order = np.random.default_rng(seed).permutation(names)
    return [np.flatnonzero(np.isin(groups, order[first::num_participants])) for first in range(num_participants)]


def by_label(targets: NDArray[np.int64], num_participants: int, seed: int) -> list[Rows]:
    """McMahan et al.'s pathological split: sorted by label, cut in two shards a participant, two dealt to each."""
    shards = np.array_split(np.argsort(targets, kind="stable"), 2 * num_participants)
    order = np.random.default_rng(seed).permutation(len(shards))
    pairs: Sequence[tuple[int, int]] = [(order[2 * index], order[2 * index + 1]) for index in range(num_participants)]
    return [np.sort(np.concatenate([shards[one], shards[other]])) for one, other in pairs]


def by_dirichlet(targets: NDArray[np.int64], num_participants: int, concentration: float, seed: int) -> list[Rows]:
    """Label shares drawn for each class from a Dirichlet distribution (Hsu et al., 2019); low concentration is uneven.

    Drawn again until each participant has at least ten examples.
    """
    random = np.random.default_rng(seed)
    while True:
        parts: list[list[Rows]] = [[] for _ in range(num_participants)]
        for label in np.unique(targets):
            rows = random.permutation(np.flatnonzero(targets == label))
            shares = random.dirichlet(np.full(num_participants, concentration))
            cuts = np.rint(np.cumsum(shares)[:-1] * len(rows)).astype(np.int64)
            for part, chosen in zip(parts, np.split(rows, cuts), strict=True):
                part.append(chosen)
        split = [np.sort(np.concatenate(part)) for part in parts]
        if min(map(len, split)) >= 10:
            return split
