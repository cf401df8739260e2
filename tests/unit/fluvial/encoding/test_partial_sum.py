from fractions import Fraction

import numpy as np
import pytest

from fluvial.encoding import ENCODINGS, Span, get
from fluvial.encoding.partial_sum import is_within, largest_element, scale_of, sums, weight_of
from fluvial.wire.records import TensorLayout

LAYOUT = (TensorLayout(name="weight", shape=(2, 2)), TensorLayout(name="bias", shape=()))
DECODING = get("partial_sum")


def raw(*values: int) -> bytes:
    return np.array(values, "<i8").tobytes()


def test_a_chunk_decodes_to_the_mean_that_it_stands_for() -> None:
    scale = scale_of(3, 10)
    assert scale == 3 * 1024
    decoded = DECODING.decode(raw(3072, -1536, 1), Span(LAYOUT, 1, 3), (scale,))
    assert decoded.dtype == np.float32
    assert decoded.tolist() == [1.0, -0.5, float(np.float32(1 / 3072))]
    assert DECODING.length_bounds(3) == (24, 24)
    assert not DECODING.additive


def test_integers_are_kept_to_the_bit() -> None:
    values = [2**62 - 1, -(2**62), 0]
    assert sums(raw(*values)).tolist() == values


@pytest.mark.parametrize(("data", "start"), [(raw(1) + b"\0", 0), (raw(1), 5), (raw(1), -1)])
def test_a_chunk_outside_the_model_is_refused(data: bytes, start: int) -> None:
    with pytest.raises(ValueError, match="do not hold"):
        DECODING.decode(data, Span(LAYOUT, start, 1), (1.0,))


@pytest.mark.parametrize("scales", [(), (1.0, 1.0), (0.0,), (-1.0,), (float("nan"),)])
def test_scales_that_do_not_fit_are_refused(scales: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="cannot be divided"):
        DECODING.decode(raw(1), Span(LAYOUT, 0, 1), scales)


@pytest.mark.parametrize("weight", [1, 3, 2**53 - 1])
@pytest.mark.parametrize("fraction_bits", [0, 7, 62])
def test_a_scale_has_exactly_one_weight(weight: int, fraction_bits: int) -> None:
    assert weight_of(scale_of(weight, fraction_bits), fraction_bits) == weight


@pytest.mark.parametrize("scale", [0.0, -1024.0, 1.5, 2.0**70])
def test_a_scale_of_no_weight_is_refused(scale: float) -> None:
    with pytest.raises(ValueError, match="belongs to no weight"):
        weight_of(scale, 10)


@pytest.mark.parametrize("weight", [0, -1, 2**53])
def test_a_weight_that_float64_does_not_hold_is_refused(weight: int) -> None:
    with pytest.raises(ValueError, match="not within"):
        scale_of(weight, 10)


@pytest.mark.parametrize("max_abs", [0.1, 1.0, 2.5, 1e-8, 3e30])
@pytest.mark.parametrize("fraction_bits", [0, 3, 30])
def test_the_largest_element_is_that_of_an_update_in_whatever_encoding(max_abs: float, fraction_bits: int) -> None:
    bound = largest_element(max_abs, fraction_bits)
    most = float(np.float32(max_abs))
    scale = float(np.float32(most / 127))
    of_float32 = round(Fraction(most) * 2**fraction_bits)
    of_int8 = 127 * round(Fraction(scale) * 2**fraction_bits)
    assert max(of_float32, of_int8) <= bound <= max(of_float32, of_int8) * (1 + Fraction(1, 256)) + 1
    assert bound == max(codec.largest_fixed(max_abs, fraction_bits) for codec in ENCODINGS.values())


def test_a_bound_that_float32_does_not_hold_is_its_own() -> None:
    assert largest_element(1e300, 0) == round(Fraction(1e300))


def test_integers_beyond_the_bound_are_found_in_either_direction() -> None:
    assert is_within(raw(-5, 5), 5)
    assert is_within(b"", 0)
    assert not is_within(raw(0, 6), 5)
    assert not is_within(raw(-6, 0), 5)
    assert not is_within(raw(-(2**63)), 2**63 - 1)
