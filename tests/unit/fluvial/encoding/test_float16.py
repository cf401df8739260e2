import numpy as np
import pytest

from fluvial.encoding import Span, encoder
from fluvial.wire.records import TensorLayout

LAYOUT = (TensorLayout(name="a", shape=(5,)),)
WHOLE = Span(LAYOUT, 0, 5)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("float16", "003c00c0000000385535"), ("bfloat16", "803f00c00000003fab3e")],
)
def test_bytes_are_little_endian_in_order(name: str, expected: str) -> None:
    encoded = encoder(name).encode(np.array([1, -2, 0, 0.5, 1 / 3], np.float32), LAYOUT, 5)
    assert [bytes(chunk).hex() for chunk in encoded.chunks] == [expected]
    assert encoded.scales == ()


@pytest.mark.parametrize(("name", "bits"), [("float16", 11), ("bfloat16", 8)])
def test_ties_go_to_the_even_neighbour(name: str, bits: int) -> None:
    unit = 2.0 ** (1 - bits)
    values = np.array([1 + unit / 2, 1 + 3 * unit / 2, -1 - unit / 2, 1 + 0.51 * unit, 1 + 0.49 * unit], np.float32)
    encoded = encoder(name).encode(values, LAYOUT, 5)
    decoded = encoder(name).decode(encoded.chunks[0], WHOLE, ())
    assert decoded.tolist() == [1.0, 1 + 2 * unit, -1.0, 1 + unit, 1.0]


@pytest.mark.parametrize("bits", [0x7F810000, 0x7FFFFFFF, 0xFFFFFFFF, 0x7F800000, 0xFF800000, 0x7F7FFFFF])
def test_what_bfloat16_cannot_hold_is_refused(bits: int) -> None:
    values = np.array([0, 0, 0, 0, bits], np.uint32).view(np.float32)
    with np.errstate(all="raise"), pytest.raises(ValueError, match="finite"):
        encoder("bfloat16").encode(values, LAYOUT, 5)


@pytest.mark.parametrize("value", [65520.0, -1e30, np.inf, np.nan])
def test_what_float16_cannot_hold_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="65504"):
        encoder("float16").encode(np.array([0, 0, 0, 0, value], np.float32), LAYOUT, 5)


def test_the_limit_is_met_as_it_is_rounded() -> None:
    assert encoder("float16").largest_element(0.1) == 0.0999755859375
    assert encoder("float16").largest_element(1e30) == 65504.0
    assert encoder("bfloat16").largest_element(0.1) == 0.10009765625
    assert encoder("bfloat16").largest_element(1e300) == float(np.array([0x7F7F0000], np.uint32).view(np.float32)[0])
