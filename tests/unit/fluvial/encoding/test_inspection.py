from math import inf

import numpy as np
import pytest

from fluvial.encoding.inspection import inspect, inspect_rows


def test_largest_element_and_sum_of_squares() -> None:
    assert inspect(np.array([3.0, -4.0, 0.0], np.float32)) == (True, 4.0, 25.0)


def test_tiles_make_no_difference_for_exact_squares() -> None:
    chunk = np.arange(-20000, 20000, dtype=np.float32)
    assert inspect(chunk) == (True, 20000.0, float(sum(value * value for value in range(-20000, 20000))))


def test_squares_are_taken_in_float64() -> None:
    assert inspect(np.array([1e30], np.float32))[2] == float(np.float32(1e30)) ** 2


def test_an_empty_chunk_holds_nothing() -> None:
    assert inspect(np.zeros(0, np.float32)) == (True, 0.0, 0.0)


@pytest.mark.parametrize("bad", [np.nan, -np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("position", [0, 17000, 39999])
def test_one_value_that_is_not_finite_is_found_anywhere(bad: float, position: int) -> None:
    chunk = np.ones(40000, np.float32)
    chunk[position] = bad
    assert inspect(chunk) == (False, inf, inf)


def test_bytes_of_a_message_can_be_inspected_in_place() -> None:
    raw = np.array([1.0, 2.0], "<f4").tobytes()
    assert inspect(np.frombuffer(raw, "<f4")) == (True, 2.0, 5.0)


def test_another_type_is_refused() -> None:
    with pytest.raises(ValueError, match="not float32"):
        inspect(np.zeros(3))  # type: ignore[arg-type]


def test_many_chunks_at_once_are_what_each_is_by_itself() -> None:
    random = np.random.default_rng(5)
    for size in (1, 2, 7, 8, 9, 64, 127, 128, 129, 1000, 16384):
        for num in (1, 2, 33):
            rows = (random.standard_normal((num, size)) * 10.0 ** random.integers(-9, 9, (num, 1))).astype(np.float32)
            rows[random.integers(num), random.integers(size)] = random.choice([0.0, -0.0, np.nan, np.inf, 3e38])
            assert list(inspect_rows(rows)) == [inspect(row) for row in rows]


@pytest.mark.parametrize("size", [0, 16385])
def test_rows_that_are_no_small_chunks_are_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"rows of {size} elements"):
        list(inspect_rows(np.zeros((2, size), np.float32)))
