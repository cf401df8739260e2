import numpy as np
import pytest

from models.aggregation.centered_clipping import CenteredClipping
from tests.unit.models.aggregation.builders import NINE, aggregate


def test_within_the_radius_it_is_the_mean() -> None:
    np.testing.assert_allclose(
        aggregate(CenteredClipping(radius=100.0, num_iterations=1), NINE), [4, 5, 6], rtol=0, atol=1e-6
    )


def test_beyond_the_radius_differences_are_cut() -> None:
    # 3, 0 and 30 are cut to 1, 0 and 1: v = 2/3; then differences 7/3, -2/3, 88/3 become 1, -2/3, 1: v = 2/3 + 4/9
    rows = [[3.0], [0.0], [30.0]]
    np.testing.assert_allclose(aggregate(CenteredClipping(radius=1.0, num_iterations=1), rows), [2 / 3], atol=1e-6)
    np.testing.assert_allclose(aggregate(CenteredClipping(radius=1.0, num_iterations=2), rows), [10 / 9], atol=1e-6)


@pytest.mark.parametrize(
    "parameters", [{"radius": 0.0}, {"radius": float("nan")}, {"radius": 1.0, "num_iterations": 0}]
)
def test_parameters_that_cannot_work_are_refused(parameters: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        CenteredClipping(**parameters)  # type: ignore[arg-type]
