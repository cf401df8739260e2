import pytest

from models.aggregation.trimmed_mean import CoordinateTrimmedMean
from tests.unit.models.aggregation.builders import NINE, aggregate


def test_the_ends_of_each_coordinate_are_cut() -> None:
    rule = CoordinateTrimmedMean(num_byzantine=1)
    assert aggregate(rule, [[1, 0], [2, -9], [6, 3], [900, 1]]).tolist() == [4, 0.5]
    assert aggregate(rule, NINE).tolist() == [4, 5, 6]


def test_without_cuts_it_is_the_mean() -> None:
    assert aggregate(CoordinateTrimmedMean(num_byzantine=0), [[1], [2], [6]], weights=[1, 5, 9]).tolist() == [3]


def test_something_must_be_left() -> None:
    with pytest.raises(ValueError, match="nothing is left"):
        aggregate(CoordinateTrimmedMean(num_byzantine=2), [[1], [2], [3], [4]])
    with pytest.raises(ValueError, match="below 0"):
        CoordinateTrimmedMean(num_byzantine=-1)
