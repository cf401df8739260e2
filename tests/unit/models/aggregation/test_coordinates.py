"""Reductions on processors and on whatever device torch has, bit for bit the same."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from models.aggregation.coordinates import reduce_rows
from models.aggregation.coordinates_torch import on_device
from models.aggregation.reduction import MeanAroundMedian, Median, Reduction, TrimmedMean

torch = pytest.importorskip("torch")

DEVICES = [
    pytest.param(lambda: reduce_rows, id="numpy"),
    pytest.param(lambda: on_device("cpu"), id="torch"),
    pytest.param(
        lambda: on_device("cuda"),
        id="cuda",
        marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")],
    ),
]
everywhere = pytest.mark.parametrize("place", DEVICES)
Place = Callable[[], Any]

REDUCTIONS = [Median(), TrimmedMean(num_trimmed=2), MeanAroundMedian(num_kept=3), MeanAroundMedian(num_kept=8)]


def columns(*values: list[float]) -> np.ndarray:
    return np.array(values, np.float32).T.copy()


@everywhere
def test_by_hand(place: Place) -> None:
    rows = columns([5, 1, 4, 2, 90], [-1, -1, -1, -1, -1])
    reduce = place()
    assert reduce(rows.copy(), Median()).tolist() == [4, -1]
    assert reduce(rows.copy(), TrimmedMean(num_trimmed=1)).tolist() == [11 / 3, -1]
    assert reduce(rows.copy(), MeanAroundMedian(num_kept=2)).tolist() == [4.5, -1]
    assert reduce(rows.copy(), MeanAroundMedian(num_kept=4)).tolist() == [3, -1]


@everywhere
def test_of_two_values_as_close_to_the_median_the_smaller_is_kept(place: Place) -> None:
    assert place()(columns([1, 3, 5]), MeanAroundMedian(num_kept=2)).tolist() == [2]


@everywhere
def test_known_answer_of_byzfl(place: Place) -> None:
    rows = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]], np.float32)
    # ByzFL's Meamed with f = 1 keeps the same two
    assert place()(rows, MeanAroundMedian(num_kept=2)).tolist() == [2.5, 3.5, 4.5]


@everywhere
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("count", [8, 9, 40])
@pytest.mark.parametrize("kind", [np.float32, np.int64])
def test_every_place_gives_the_same_bits_in_any_order(
    place: Place, reduction: Reduction, count: int, kind: type
) -> None:
    random = np.random.default_rng(count)
    rows = random.standard_normal((count, 300)) * np.logspace(-6, 3, 300)
    rows = (rows * 2**40).astype(np.int64) if kind is np.int64 else rows.astype(np.float32)
    expected = reduce_rows(rows.copy(), reduction, 3.0)
    assert place()(random.permutation(rows), reduction, 3.0).tobytes() == expected.tobytes()


@everywhere
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_a_negative_zero_leaves_no_trace(place: Place, reduction: Reduction) -> None:
    for signs in ([-0.0] * 8, [-0.0, 0.0] * 4, [0.0, -0.0] * 4):
        assert place()(columns(signs), reduction).tobytes() == np.zeros(1).tobytes()


@everywhere
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(place: Place, bad: float) -> None:
    with pytest.raises(ValueError, match="not finite"):
        place()(columns([1, 2, bad, 4, 5, 6, 7, 8]), TrimmedMean(num_trimmed=2))


@everywhere
def test_integers_do_not_pass_through_floats(place: Place) -> None:
    large = 2**60 + 1
    rows = np.array([[large], [large + 2], [-(2**61)]], np.int64)
    # two of the three are added as integers; float64 alone would lose the last bits of each
    assert place()(rows, MeanAroundMedian(num_kept=2), 2.0).tolist() == [(2 * large + 2) / 4]


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot reduce"):
        on_device("abacus")
