from math import ceil

import numpy as np
import pytest

from fluvial.encoding import Fault, Limits, Span, encoder
from fluvial.encoding.span import spans
from fluvial.encoding.top_k import largest
from fluvial.wire.records import TensorLayout

SIZE = 1000
LAYOUT = (TensorLayout(name="a", shape=(SIZE,)),)
WHOLE = Span(LAYOUT, 0, SIZE)
TOP_K = encoder("top_k")
LIMITS = Limits(max_abs=10.0, max_norm=0.0, num_elements=SIZE, fraction_bits=20, weight=1)


def test_a_chunk_is_its_gaps_and_then_its_values() -> None:
    delta = np.zeros(40, np.float32)
    delta[3], delta[20] = 1.0, -2.0
    layout = (TensorLayout(name="a", shape=(40,)),)
    encoded = TOP_K.encode(delta, layout, 40)
    assert [bytes(chunk).hex() for chunk in encoded.chunks] == ["0310" + "003c" + "00c0"]
    assert TOP_K.decode(encoded.chunks[0], Span(layout, 0, 40), ()).tolist() == delta.tolist()


@pytest.mark.parametrize(
    ("place", "between"),
    [(49, []), (304, []), (305, [304]), (560, [304]), (561, [304, 560]), (999, [304, 560, 816])],
)
def test_where_a_gap_is_too_long_elements_on_the_way_are_sent(place: int, between: list[int]) -> None:
    """49 and one more are the twentieth of 1,000; 255 may be left out between two."""
    delta = np.full(SIZE, 1e-3, np.float32)
    delta[:49], delta[place] = 2.0, 4.0
    encoded = TOP_K.encode(delta, LAYOUT, SIZE)
    decoded = TOP_K.decode(encoded.chunks[0], WHOLE, ())
    assert np.flatnonzero(decoded).tolist() == [*range(49), *between, place]
    np.testing.assert_allclose(decoded[between], 1e-3, rtol=1e-3)
    assert TOP_K.check(encoded.chunks[0], WHOLE, LIMITS) is None


def test_the_largest_of_the_whole_delta_are_sent_wherever_they_lie() -> None:
    delta = np.random.default_rng(1).standard_normal(SIZE).astype(np.float32)
    delta[:300] *= 100
    encoded = TOP_K.encode(delta, LAYOUT, 300)
    parts = [TOP_K.decode(chunk, span, ()) for chunk, span in zip(encoded.chunks, spans(LAYOUT, 300), strict=True)]
    kept = np.argsort(-np.abs(delta))[: ceil(SIZE / 20)]
    np.testing.assert_allclose(np.concatenate(parts)[kept], delta[kept], rtol=2**-11)
    assert [len(chunk) for chunk in encoded.chunks] == [3 * np.count_nonzero(part) for part in parts]


def test_a_chunk_of_which_nothing_is_large_sends_its_largest() -> None:
    delta = np.zeros(SIZE, np.float32)
    delta[:50] = 1.0
    delta[777] = 0.5
    encoded = TOP_K.encode(delta, LAYOUT, 500)
    second = TOP_K.decode(encoded.chunks[1], Span(LAYOUT, 500, 500), ())
    assert np.flatnonzero(second).tolist() == [277]
    zeros = TOP_K.encode(np.zeros(SIZE, np.float32), LAYOUT, 500)
    assert not TOP_K.decode(zeros.chunks[1], Span(LAYOUT, 500, 500), ()).any()


def test_of_equal_elements_the_earlier_count() -> None:
    assert largest(np.array([1, -3, 3, 3, 2], np.float32), 2).tolist() == [1, 2]
    assert largest(np.array([1, -3, 3], np.float32), 5).tolist() == [0, 1, 2]
    assert largest(np.zeros(0, np.float32), 0).tolist() == []


@pytest.mark.parametrize(
    ("raw", "size"),
    [
        (b"", 10),
        (bytes(1), 10),
        (bytes(4), 10),
        (bytes([10, 0, 0]), 10),
        (bytes([4, 5]) + bytes(4), 10),
        (bytes(3 * 11), 10),
    ],
)
def test_bytes_that_are_no_values_at_places_are_a_fault(raw: bytes, size: int) -> None:
    span = Span(LAYOUT, 0, size)
    assert TOP_K.check(raw, span, LIMITS) is Fault.ENCODING
    with pytest.raises(ValueError, match=r"do not hold|no values|a value at"):
        TOP_K.decode(raw, span, ())


def test_values_beyond_float16_are_refused() -> None:
    with pytest.raises(ValueError, match="65504"):
        TOP_K.encode(np.full(SIZE, 1e6, np.float32), LAYOUT, SIZE)
