"""Splits give every example to one participant."""

import numpy as np
import pytest

from tests.benchmarks.simulation.splits import Rows, by_chance, by_dirichlet, by_group, by_label

TARGETS = np.random.default_rng(0).integers(0, 10, 1000)
GROUPS = np.random.default_rng(1).integers(0, 37, 1000)


@pytest.mark.parametrize(
    "split",
    [
        by_chance(1000, 7, seed=2),
        by_group(GROUPS, 7, seed=2),
        by_label(TARGETS, 7, seed=2),
        by_dirichlet(TARGETS, 7, 0.5, seed=2),
    ],
    ids=["chance", "group", "label", "dirichlet"],
)
def test_every_example_belongs_to_one_participant(split: list[Rows]) -> None:
    assert len(split) == 7
    assert np.array_equal(np.sort(np.concatenate(split)), np.arange(1000))


def test_nobody_shares_a_group() -> None:
    owners = [set(GROUPS[rows].tolist()) for rows in by_group(GROUPS, 7, seed=2)]
    assert sum(map(len, owners)) == len(set.union(*owners)) == 37
    with pytest.raises(ValueError, match="too few"):
        by_group(GROUPS, 38, seed=2)


def test_a_split_by_label_leaves_each_participant_few_labels() -> None:
    assert max(len(set(TARGETS[rows].tolist())) for rows in by_label(TARGETS, 10, seed=2)) <= 4


def test_low_concentration_is_more_uneven() -> None:
    def largest_share(concentration: float) -> float:
        split = by_dirichlet(TARGETS, 5, concentration, seed=3)
        return float(np.mean([np.bincount(TARGETS[rows]).max() / len(rows) for rows in split]))

    assert largest_share(0.3) > largest_share(100.0) + 0.1
