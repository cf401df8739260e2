"""Dealing examples out."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.simulation.division import divided


def groups_of(sizes: list[int]) -> list[np.ndarray]:
    bounds = np.cumsum([0, *sizes])
    return [np.arange(first, last) for first, last in pairwise(bounds)]


@given(sizes=st.lists(st.integers(1, 30), min_size=1, max_size=6), data=st.data())
def test_every_example_has_one_owner_and_nobody_has_none(sizes: list[int], data: st.DataObject) -> None:
    number = data.draw(st.integers(1, sum(sizes)))
    parts = divided(groups_of(sizes), number, seed=1)
    assert len(parts) == number
    assert min(map(len, parts)) >= 1
    assert sorted(np.concatenate(parts).tolist()) == list(range(sum(sizes)))
    assert all((np.diff(part) > 0).all() for part in parts)
    if number >= len(sizes):
        owners = np.repeat(np.arange(len(sizes)), sizes)
        assert all(len(set(owners[part])) == 1 for part in parts)


def test_as_many_as_groups_are_the_groups() -> None:
    groups = groups_of([3, 1, 2])
    assert [part.tolist() for part in divided(groups, 3, seed=5)] == [[0, 1, 2], [3], [4, 5]]


def test_large_groups_are_cut_in_more_parts() -> None:
    sizes = sorted(map(len, divided(groups_of([90, 10]), 10, seed=0)))
    assert sizes == [10] * 10


def test_more_participants_than_examples_are_refused() -> None:
    with pytest.raises(ValueError, match="3 examples are too few for 4 participants"):
        divided(groups_of([2, 1]), 4, seed=0)
