import numpy as np
import pytest

from fluvial.encoding import Fault, Limits, Span, encoder
from fluvial.wire.records import TensorLayout

SIZE = 601
LAYOUT = (TensorLayout(name="a", shape=(SIZE,)),)
INT4 = encoder("int4")
LIMITS = Limits(max_abs=10.0, max_norm=0.0, num_elements=SIZE, fraction_bits=20, weight=1)


def test_a_chunk_is_its_scales_and_then_two_codes_a_byte() -> None:
    values = np.array([7.0, -7.0, 3.4, -0.6, 0.4], np.float32)
    layout = (TensorLayout(name="a", shape=(5,)),)
    encoded = INT4.encode(values, layout, 5)
    assert [bytes(chunk).hex() for chunk in encoded.chunks] == ["003c" + "97f300"]
    assert INT4.decode(encoded.chunks[0], Span(layout, 0, 5), ()).tolist() == [7, -7, 3, -1, 0]


def test_a_far_element_costs_its_own_block_precision_and_no_other() -> None:
    values = np.full(SIZE, 0.01, np.float32)
    values[300] = 1000.0
    encoded = INT4.encode(values, LAYOUT, SIZE)
    decoded = INT4.decode(encoded.chunks[0], Span(LAYOUT, 0, SIZE), ())
    np.testing.assert_allclose(decoded[:256], 0.01, rtol=1e-3)
    np.testing.assert_allclose(decoded[512:], 0.01, rtol=1e-3)
    assert not decoded[256:300].any()
    assert decoded[300] == pytest.approx(1000, rel=1e-3)


def test_lengths_follow_from_elements() -> None:
    assert [INT4.length_bounds(size)[0] for size in (1, 2, 3, 256, 257, 512)] == [3, 3, 4, 130, 133, 260]


def test_blocks_count_from_the_chunks_start() -> None:
    values = np.random.default_rng(1).standard_normal(SIZE).astype(np.float32)
    chunks = INT4.encode(values, LAYOUT, 300).chunks
    assert [len(chunk) for chunk in chunks] == [154, 154, 3]
    alone = INT4.encode(values[300:600], (TensorLayout(name="b", shape=(300,)),), 300).chunks
    assert chunks[1] == alone[0]


def changed(at: int, value: int) -> bytes:
    raw = bytearray(INT4.encode(np.ones(SIZE, np.float32), LAYOUT, SIZE).chunks[0])
    raw[at] = value
    return bytes(raw)


@pytest.mark.parametrize("at", [6, 100, 305])
@pytest.mark.parametrize("value", [0x08, 0x80, 0x88, 0x78])
def test_a_code_that_is_not_used_is_a_fault(at: int, value: int) -> None:
    assert INT4.check(changed(at, value), Span(LAYOUT, 0, SIZE), LIMITS) is Fault.ENCODING


def test_the_last_half_byte_is_zero() -> None:
    assert INT4.check(changed(306, 0x07), Span(LAYOUT, 0, SIZE), LIMITS) is None
    assert INT4.check(changed(306, 0x17), Span(LAYOUT, 0, SIZE), LIMITS) is Fault.ENCODING


@pytest.mark.parametrize("high", [0x7C, 0x7E, 0xFC, 0x80, 0xB0])
def test_a_scale_is_finite_and_not_negative(high: int) -> None:
    assert INT4.check(changed(3, high), Span(LAYOUT, 0, SIZE), LIMITS) is Fault.ENCODING


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e6, -1e30])
def test_elements_without_a_scale_are_refused(value: float) -> None:
    values = np.zeros(SIZE, np.float32)
    values[7] = value
    with pytest.raises(ValueError, match="int4 holds"):
        INT4.encode(values, LAYOUT, SIZE)


@pytest.mark.parametrize("max_abs", [0.1, 0.3, 1.0, 5.0, 1017.0, 1e5])
def test_values_at_the_limit_are_within_it(max_abs: float) -> None:
    values = np.full(SIZE, max_abs, np.float32)
    decoded = INT4.decode(INT4.encode(values, LAYOUT, SIZE).chunks[0], Span(LAYOUT, 0, SIZE), ())
    assert float(np.abs(decoded).max()) <= INT4.largest_element(max_abs) <= max_abs * (1 + 2.0**-10)
