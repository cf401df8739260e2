from models.aggregation.median import CoordinateMedian
from models.aggregation.plan import Measure
from tests.unit.models.aggregation.builders import NINE, aggregate


def test_each_coordinate_has_its_own_median() -> None:
    assert aggregate(CoordinateMedian(), [[1, -5], [9, 0], [2, 7]]).tolist() == [2, 0]
    assert aggregate(CoordinateMedian(), NINE).tolist() == [4, 5, 6]


def test_of_an_even_number_the_two_in_the_middle_are_averaged() -> None:
    assert aggregate(CoordinateMedian(), [[4], [1], [100], [2]]).tolist() == [3]


def test_weights_change_nothing() -> None:
    assert aggregate(CoordinateMedian(), [[1], [2], [9]], weights=[1, 1, 1000]).tolist() == [2]
    assert CoordinateMedian().measure is Measure.NONE
