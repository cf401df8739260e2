import pytest

from models.aggregation.clipped import Clipped
from models.aggregation.geometric_median import GeometricMedian
from models.aggregation.nearest_neighbour_mixing import NearestNeighbourMixing
from models.aggregation.plan import Rule
from models.aggregation.precision import fraction_bits, in_words
from models.aggregation.weighted_mean import WeightedMean


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (WeightedMean(), 62 - 30 - 3),
        (GeometricMedian(), 62 - 30 - 24),
        (Clipped(max_norm=0.9, rule=WeightedMean()), 62 - 24 - 3),
        (Clipped(max_norm=0.9, rule=Clipped(max_norm=2.0**-9, rule=WeightedMean())), 62 - 28 + 8),
        (Clipped(max_norm=2.0**40, rule=WeightedMean()), 62 - 30 - 24 - 3),
        (NearestNeighbourMixing(num_byzantine=0, rule=Clipped(max_norm=0.9, rule=WeightedMean())), 62 - 30 - 24 - 6),
    ],
    ids=lambda given: getattr(given, "name", str(given)),
)
def test_bits_follow_from_what_enters_the_sums(rule: Rule, expected: int) -> None:
    """Eight updates of weight 1 with elements below 2**30. Clipped updates are no longer than the limit; mixtures are
    clipped only when they are made, of elements that may cancel."""
    assert fraction_bits(rule, target=8, max_weight=1, max_abs=2.0**30 - 1) == expected


def test_precision_is_told_with_what_to_do_where_it_is_low() -> None:
    assert in_words(40) == "sums keep 40 fraction bits: a resolution of about 2^-40 (9.1e-13)"
    assert "limits.max_abs" in in_words(4)
    assert "2^-4 (6.2e-02), which is coarse" in in_words(4)
