"""Which values come back bit by bit, and how well averages of float64 are kept."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fluvial.edge.training.tensor_values import (
    DTYPES,
    difference,
    from_elements,
    layout_of_tensor,
    to_elements,
)
from fluvial.encoding.planes import planes_of, values_of

SMALLEST, LARGEST = 2.0**-96, float(np.finfo(np.float32).max)
DOUBLES = st.one_of(st.just(0.0), st.just(-0.0), st.floats(SMALLEST, LARGEST), st.floats(-LARGEST, -SMALLEST))


@given(st.lists(DOUBLES, max_size=8))
def test_float64_comes_back_bit_by_bit(values: list[float]) -> None:
    wide = np.array(values, np.float64)
    assert values_of(planes_of(wide)).tobytes() == wide.tobytes()


@given(st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=8), st.sampled_from(["float16", "bfloat16"]))
def test_sixteen_bits_come_back_bit_by_bit(bits: list[int], dtype: str) -> None:
    tensor = torch.tensor(np.array(bits, np.uint16).view(np.int16)).view(DTYPES[dtype])
    tensor = torch.where(tensor.isnan(), torch.zeros_like(tensor), tensor)
    again = from_elements(to_elements("w", tensor), layout_of_tensor("w", tensor))
    assert torch.equal(again.view(torch.int16), tensor.view(torch.int16))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (1,), (2, 3)])
def test_every_shape_comes_back(dtype: str, shape: tuple[int, ...]) -> None:
    tensor = torch.arange(max(1, int(np.prod(shape)))).to(DTYPES[dtype])[: int(np.prod(shape))].reshape(shape)
    layout = layout_of_tensor("w", tensor)
    assert (layout.dtype, layout.shape) == (dtype, shape)
    again = from_elements(to_elements("w", tensor), layout)
    assert again.dtype == tensor.dtype
    assert torch.equal(again, tensor)


def test_memory_that_is_not_contiguous_is_read_row_by_row() -> None:
    tensor = torch.arange(6.0).reshape(2, 3).t()
    assert to_elements("w", tensor).tolist() == [0, 3, 1, 4, 2, 5]


def test_float64_beyond_float32_does_not_travel() -> None:
    with pytest.raises(ValueError, match=r"tensor w has float64 values beyond"):
        to_elements("w", torch.tensor([1e300], dtype=torch.float64))


def test_a_dtype_that_does_not_travel_is_named() -> None:
    with pytest.raises(ValueError, match="tensor w is int8: float32, float16"):
        layout_of_tensor("w", torch.zeros(1, dtype=torch.int8))


def test_the_difference_of_float64_is_taken_in_float64() -> None:
    before, after = torch.tensor([1.0], dtype=torch.float64), torch.tensor([1.0 + 2.0**-50], dtype=torch.float64)
    assert values_of(difference("w", after, before)).tolist() == [2.0**-50]


@given(
    st.lists(st.tuples(DOUBLES.filter(lambda value: abs(value) < 1e6), st.integers(1, 1000)), min_size=1, max_size=6)
)
def test_an_average_of_float64_is_good_to_half_a_float32_unit_and_no_update_changes_no_bit(
    updates: list[tuple[float, int]],
) -> None:
    """As the server does it: each plane's exact mean, added to the base's plane, rounded once to float32."""
    base = np.array([0.1], np.float64)
    total = sum(weight for _, weight in updates)
    mean = sum(planes_of(np.array([value])).astype(np.float64) * weight for value, weight in updates) / total
    found = values_of((planes_of(base).astype(np.float64) + mean).astype(np.float32))
    expected = base + sum(value * weight for value, weight in updates) / total
    largest = max(abs(base[0]), *(abs(value) for value, _ in updates))
    assert abs(found - expected)[0] <= 2.0**-23 * largest
    assert values_of(planes_of(base) + planes_of(np.zeros(1))).tobytes() == base.tobytes()
