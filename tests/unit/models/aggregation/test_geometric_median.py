import numpy as np
import pytest

from models.aggregation.coefficients import SCALE
from models.aggregation.geometric_median import GeometricMedian
from tests.unit.models.aggregation.builders import NINE, aggregate, plan_of


def test_known_answer_of_byzfl() -> None:
    result = aggregate(GeometricMedian(smoothing=0.1, num_iterations=3), NINE)
    np.testing.assert_allclose(result, [3.78788764, 4.78788764, 5.78788764], atol=1e-6)


def test_of_points_on_a_line_it_is_the_one_in_the_middle() -> None:
    np.testing.assert_allclose(aggregate(GeometricMedian(), [[1], [2], [4], [8], [400]]), [4], atol=1e-4)


def test_of_a_triangle_it_is_fermats_point() -> None:
    # Equilateral: its centre; with an angle of 120 degrees or more: that corner.
    height = 3**0.5 / 2
    np.testing.assert_allclose(
        aggregate(GeometricMedian(), [[1, 1], [2, 1], [1.5, 1 + height]]), [1.5, 1 + height / 3], atol=1e-6
    )
    np.testing.assert_allclose(aggregate(GeometricMedian(), [[-5, 1], [0, 2], [5, 1]]), [0, 2], atol=1e-3)


def test_a_far_update_has_little_weight_and_may_have_none() -> None:
    plan = plan_of(GeometricMedian(), [[1], [1.5], [2], [2**30]])
    assert plan.effective_weights[3] == 0
    assert sum(plan.effective_weights) == plan.divisor == SCALE
    assert plan.scores[3] == pytest.approx(2**30)


@pytest.mark.parametrize("parameters", [{"smoothing": 0.0}, {"smoothing": -1.0}, {"num_iterations": 0}])
def test_parameters_that_cannot_work_are_refused(parameters: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        GeometricMedian(**parameters)  # type: ignore[arg-type]
