from fractions import Fraction

import numpy as np
import pytest

from models.aggregation.combination import combine_chunk, mean_of, next_chunk
from models.aggregation.fixed_point import finish
from models.aggregation.plan import Plan
from models.aggregation.reduction import MeanAroundMedian, Median, TrimmedMean

BITS = 20


def test_one_combination_by_hand() -> None:
    rows = [np.array([1, 2], np.float32), np.array([8, -2], np.float32)]
    assert combine_chunk(rows, Plan(rows=((3, 1),), divisor=4), BITS).tolist() == [11 / 4, 1]


def test_mixtures_are_reduced_as_exact_integers() -> None:
    rows = [np.array([value], np.float32) for value in (1, 2, 4, 100)]
    # combinations 1+2, 2+4, 1+4 and 100+100, halved: 1.5, 3, 2.5, 100
    plan_rows = ((1, 1, 0, 0), (0, 1, 1, 0), (1, 0, 1, 0), (0, 0, 0, 2))
    for reduction, expected in (
        (Median(), 2.75),
        (TrimmedMean(num_trimmed=1), 2.75),
        (MeanAroundMedian(num_kept=3), 7 / 3),
    ):
        assert combine_chunk(rows, Plan(rows=plan_rows, divisor=2, reduction=reduction), BITS).tolist() == [expected]


@pytest.mark.parametrize("reduction", [Median(), TrimmedMean(num_trimmed=3), MeanAroundMedian(num_kept=5)])
@pytest.mark.parametrize("device", [None, "cpu"])
def test_sharing_terms_changes_no_bit(reduction: Median, device: str | None) -> None:
    """Against the same combinations, each summed on its own with Python's integers."""
    random = np.random.default_rng(8)
    rows = [random.standard_normal(5000).astype(np.float32) for _ in range(12)]
    coefficients = random.choice([0, 3, 3, 3, 3, 7], (10, 12))
    coefficients[4] = 0
    plan = Plan(rows=tuple(map(tuple, coefficients.tolist())), divisor=9, reduction=reduction)
    result = combine_chunk(rows, plan, BITS, device)
    for element in (0, 2047, 2048, 4999):
        fixed = [round(Fraction(float(row[element])) * 2**BITS) for row in rows]
        values = sorted(sum(c * x for c, x in zip(row, fixed, strict=True)) for row in plan.rows)
        if isinstance(reduction, Median):
            kept = values[4:6]
        elif isinstance(reduction, TrimmedMean):
            kept = values[3:7]
        else:
            middle = Fraction(values[4] + values[5], 2)
            kept = sorted(values, key=lambda value: (abs(value - middle), value))[:5]
        assert result[element] == sum(kept) / (len(kept) * 9.0 * 2.0**BITS)


def test_the_parts_in_which_a_chunk_is_worked_on_leave_no_trace() -> None:
    rows = [np.random.default_rng(row).standard_normal(70_001).astype(np.float32) for row in range(9)]
    for plan in (
        Plan(rows=tuple(tuple(int(i == j) for i in range(9)) for j in range(9)), divisor=1, reduction=Median()),
        Plan(rows=tuple(tuple(int(i != j) for i in range(9)) for j in range(9)), divisor=8, reduction=Median()),
    ):
        whole = combine_chunk(rows, plan, BITS)
        cut = [combine_chunk([row[part] for row in rows], plan, BITS) for part in (slice(0, 999), slice(999, None))]
        assert np.concatenate(cut).tobytes() == whole.tobytes()


def test_the_last_step_is_that_of_the_exact_sum() -> None:
    random = np.random.default_rng(2)
    base, total = random.standard_normal(1000).astype(np.float32), random.integers(-(2**50), 2**50, 1000)
    assert next_chunk(base, mean_of(total, 977, 40)).tobytes() == finish(base, total, 977, 40).tobytes()


def test_what_does_not_fit_is_refused() -> None:
    one, two = np.ones(1, np.float32), np.ones(2, np.float32)
    plan = Plan(rows=((1, 1, 0),), divisor=2)
    for rows in ([one, one], [one, None, one], [one, two, None], [one, np.ones(1), None]):
        with pytest.raises(ValueError, match="rows"):
            combine_chunk(rows, plan, BITS)
    assert combine_chunk([one, one, None], plan, BITS).tolist() == [1]
    for divisor in (0, 2**53):
        with pytest.raises(ValueError, match="divisor"):
            mean_of(np.zeros(1, np.int64), divisor, BITS)
    with pytest.raises(ValueError, match="base of 2"):
        next_chunk(two, np.zeros(1))
