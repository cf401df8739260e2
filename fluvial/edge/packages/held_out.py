"""Which of a participant's examples are held out: a share that depends on nothing but their places, or whose they are.

So they are the same in every round and after every restart, and stay so when examples are added at the end.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fluvial.edge.packages.examples import Examples
from fluvial.wire.promotion_policy import LEAST_PUBLISHED


def held_out_rows(num_examples: int, people: NDArray[np.int64] | None, fraction: float) -> NDArray[np.bool_]:
    """bool[B], true for what is held out: about `fraction` of the people (int64[B], without them of the examples), with
    all that is of one of them; nobody where that would be fewer than ten people, of whom nothing may be told."""
    whose = np.arange(num_examples, dtype=np.int64) if people is None else people
    rows: NDArray[np.bool_] = _mixed(whose) < np.uint64(int(fraction * 2**64))
    return rows if len(np.unique(whose[rows])) >= LEAST_PUBLISHED else np.zeros(num_examples, np.bool_)


def num_people(examples: Examples) -> int:
    """How many people these examples are of."""
    return len(examples) if examples.people is None else len(np.unique(examples.people))


def _mixed(numbers: NDArray[np.int64]) -> NDArray[np.uint64]:
    """uint64[B], evenly spread (SplitMix64: Steele, Lea and Flood, 2014, "Fast Splittable Pseudorandom Number
    Generators")."""
    z = numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
