"""Which examples are held out."""

import numpy as np
import pytest

from fluvial.edge.packages.examples import Examples
from fluvial.edge.packages.held_out import held_out_rows, num_people


@pytest.mark.parametrize("fraction", [0.1, 0.2, 0.5])
def test_the_share_is_that_of_the_terms(fraction: float) -> None:
    assert held_out_rows(20_000, None, fraction).mean() == pytest.approx(fraction, abs=0.01)


def test_examples_that_are_added_change_nothing_of_those_before() -> None:
    assert (held_out_rows(500, None, 0.2) == held_out_rows(900, None, 0.2)[:500]).all()


def test_all_that_is_of_one_person_is_on_one_side() -> None:
    people = np.repeat(np.arange(-50, 50), 7)
    rows = held_out_rows(len(people), people, 0.3)
    assert 0 < rows.sum() < len(rows)
    assert not set(people[rows]) & set(people[~rows])


def test_nothing_is_held_out_of_whom_nothing_may_be_told() -> None:
    assert not held_out_rows(30, None, 0.2).any()
    assert not held_out_rows(1000, np.arange(1000) % 12, 0.5).any()


def test_chosen_examples_keep_groups_and_people() -> None:
    inputs = {"a": np.arange(4.0), "b": np.arange(8).reshape(4, 2)}
    groups = {"site": (np.array([0, 1, 1, 0]), ("north", "south"))}
    examples = Examples(inputs=inputs, targets=np.arange(4), groups=groups, people=np.array([1, 1, 2, 3]))
    found = examples.chosen(np.array([True, False, True, False]))
    assert found.inputs["b"].tolist() == [[0, 1], [4, 5]]
    assert found.groups["site"][0].tolist() == [0, 1]
    assert (found.targets.tolist(), num_people(found), num_people(examples)) == ([0, 2], 2, 3)
