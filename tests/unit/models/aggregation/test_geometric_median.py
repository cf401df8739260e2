import numpy as np
import pytest

from models.aggregation.coefficients import SCALE
from models.aggregation.geometric_median import GeometricMedian, weiszfeld
from tests.unit.models.aggregation.builders import NINE, aggregate, gram_of, plan_of


def test_of_points_in_a_row_it_is_the_middle_one() -> None:
    np.testing.assert_allclose(aggregate(GeometricMedian(), NINE), NINE[1], atol=1e-6)


def test_of_points_on_a_line_it_is_the_one_in_the_middle() -> None:
    np.testing.assert_allclose(aggregate(GeometricMedian(), [[1], [2], [4], [8], [400]]), [4], atol=1e-4)


def test_of_a_triangle_it_is_fermats_point() -> None:
    # Equilateral: its centre; with an angle of 120 degrees or more: that corner.
    height = 3**0.5 / 2
    np.testing.assert_allclose(
        aggregate(GeometricMedian(), [[1, 1], [2, 1], [1.5, 1 + height]]), [1.5, 1 + height / 3], atol=1e-6
    )
    np.testing.assert_allclose(aggregate(GeometricMedian(), [[-5, 1], [0, 2], [5, 1]]), [0, 2], atol=1e-3)


def test_a_far_update_has_little_weight() -> None:
    plan = plan_of(GeometricMedian(), [[1], [1.5], [2], [2**30]])
    assert plan.effective_weights[3] == 1
    assert plan.coefficient_sum == plan.divisor == SCALE
    assert plan.scores[3] == pytest.approx(2**30)


SMOOTHINGS = [5e-324, 1e-12, 1e-9, 1e-6, 1e-3]


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
@pytest.mark.parametrize("scale", [2.0**-100, 2.0**-10, 1.0, 2.0**15, 2.0**60])
def test_a_zero_update_does_not_hold_the_others(smoothing: float, scale: float) -> None:
    """An iteration that stops where a share no longer changes by much would end at the zero update."""
    rows = [[0.0]] + [[scale]] * 9
    shares = weiszfeld(gram_of(rows), smoothing, 100)
    assert shares @ np.array(rows)[:, 0] == pytest.approx(scale, rel=1e-9, abs=smoothing)


@pytest.mark.parametrize("smoothing", SMOOTHINGS[:-1])
def test_in_many_dimensions_a_zero_update_does_not_hold_the_others(smoothing: float) -> None:
    honest = 0.32 * (1 + 0.1 * np.random.default_rng(1).standard_normal((9, 100)))
    result = aggregate(GeometricMedian(smoothing=smoothing), [[0.0] * 100, *honest.tolist()])
    np.testing.assert_allclose(result, honest.mean(axis=0), atol=0.03)


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
@pytest.mark.parametrize("apart", [0.0, 2.0**-140, 2.0**-40])
@pytest.mark.parametrize("num_iterations", [1, 5, 100])
def test_four_that_huddle_at_the_base_model_do_not_outweigh_five(
    smoothing: float, apart: float, num_iterations: int
) -> None:
    """Their pull is only just weaker, so that plain steps would leave them by a quarter more each time."""
    rows = [[apart * number] for number in range(4)] + [[1.0]] * 5
    shares = weiszfeld(gram_of(rows), smoothing, num_iterations)
    assert shares @ np.array(rows)[:, 0] == pytest.approx(1, abs=1e-6 + 8 * smoothing)


def test_a_step_leaves_updates_that_the_others_outweigh() -> None:
    """Vardi and Zhang's step: from the middle of a majority that is not the median, at once."""
    rows = [[0, 0], [0, 0], [0, 0], [1, 3], [1, -3], [40, 10], [40, -10], [41, 0], [41, 1]]
    found = aggregate(GeometricMedian(smoothing=1e-12), rows)
    objective = [np.sqrt(((np.array(rows) - point) ** 2).sum(axis=1)).sum() for point in (found, [0, 0])]
    grid = [found + np.array([x, y]) for x in (-1e-2, 0, 1e-2) for y in (-1e-2, 0, 1e-2)]
    assert objective[0] < objective[1]
    for point in grid:
        assert np.sqrt(((np.array(rows) - point) ** 2).sum(axis=1)).sum() >= objective[0] - 1e-9


@pytest.mark.parametrize("parameters", [{"smoothing": 0.0}, {"smoothing": -1.0}, {"num_iterations": 0}])
def test_parameters_that_cannot_work_are_refused(parameters: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        GeometricMedian(**parameters)  # type: ignore[arg-type]
