"""Laws of every tensor encoding: chunks are decoded alone, errors have a bound, what anybody sends is judged and never
raises, and exact sums have what decoding gives."""

from fractions import Fraction
from math import inf

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fluvial.encoding import DECODINGS, ENCODINGS, Encoded, Limits, Span, TensorDecoding, TensorEncoding, encoder, get
from fluvial.encoding.inspection import inspect
from fluvial.encoding.partial_sum import scale_of
from fluvial.encoding.pieces import Floats, Scaled, Sparse, Sums
from fluvial.encoding.span import spans
from fluvial.wire.layout import num_elements
from fluvial.wire.records import TensorLayout
from models.aggregation.contribution import add_chunk
from models.aggregation.fixed_point import ChunkSum, fraction_bits
from tests.laws.effort import examples

Float32 = npt.NDArray[np.float32]
Layout = tuple[TensorLayout, ...]
Delta = tuple[Layout, Float32, int]

every_encoding = pytest.mark.parametrize("name", ENCODINGS)
every_decoding = pytest.mark.parametrize("name", DECODINGS)
law = examples(15)
MAX_ABS = 2.0**10


def layouts(draw: st.DrawFn) -> Layout:
    shapes = draw(st.lists(st.lists(st.integers(0, 5), max_size=3).map(tuple), min_size=1, max_size=4))
    long = draw(st.booleans())
    return tuple(
        TensorLayout(name=f"tensor-{index}", shape=shape) for index, shape in enumerate([*shapes, *[(300,)] * long])
    )


@st.composite
def deltas(draw: st.DrawFn) -> Delta:
    """A layout, empty tensors and scalars included, a delta that every encoding can hold, and elements a chunk."""
    layout = layouts(draw)
    elements = st.floats(-MAX_ABS, MAX_ABS, width=32, allow_subnormal=True)
    size = num_elements(layout)
    values = draw(hnp.arrays(np.float32, size, elements=elements, fill=st.just(np.float32(0))))
    if draw(st.booleans(), label="many sizes"):
        exponents = draw(hnp.arrays(np.int32, size, elements=st.integers(-40, 0), fill=st.integers(-40, 0)))
        values = np.ldexp(values, exponents)
    chunk_elements = draw(st.sampled_from([1, 2, 3, 7, 40, 255, 256, 257, 1000]))
    return layout, values, max(chunk_elements, size // 8)


def decoded(codec: TensorDecoding, encoded: Encoded, layout: Layout, chunk_elements: int) -> Float32:
    parts = [
        codec.decode(bytes(chunk), span, encoded.scales)
        for chunk, span in zip(encoded.chunks, spans(layout, chunk_elements), strict=True)
    ]
    return np.concatenate([np.zeros(0, np.float32), *parts])


def limits(**changes: float) -> Limits:
    values = {"max_abs": MAX_ABS, "max_norm": 0.0, "num_elements": 9, "fraction_bits": 20, "weight": 3}
    return Limits(**{**values, **changes})  # type: ignore[arg-type]


@every_encoding
@law
@given(delta=deltas())
def test_chunks_are_as_long_as_they_may_be_and_pass_every_check(name: str, delta: Delta) -> None:
    layout, values, chunk_elements = delta
    codec = encoder(name)
    encoded = codec.encode(values, layout, chunk_elements)
    most = float(np.abs(values).max(initial=0.0))
    asked = limits(max_abs=most)
    assert codec.check_scales(encoded.scales, layout, asked) is None
    for chunk, span in zip(encoded.chunks, spans(layout, chunk_elements), strict=True):
        shortest, longest = codec.length_bounds(span.size)
        assert shortest <= len(chunk) <= longest
        assert codec.check(chunk, span, asked) is None
        finite, largest, _ = inspect(codec.decode(chunk, span, encoded.scales))
        assert finite
        assert largest <= codec.largest_element(most)


@pytest.mark.parametrize("name", [name for name, codec in ENCODINGS.items() if not codec.omits])
@law
@given(delta=deltas())
def test_encoding_what_was_decoded_changes_nothing_more(name: str, delta: Delta) -> None:
    layout, values, chunk_elements = delta
    codec = encoder(name)
    once = decoded(codec, codec.encode(values, layout, chunk_elements), layout, chunk_elements)
    twice = decoded(codec, codec.encode(once, layout, chunk_elements), layout, chunk_elements)
    # A scale of int4 below float16's normal range has few bits: half a step of it moves codes.
    least = 8 * float(np.finfo(np.float16).smallest_subnormal) if name == "int4" else 1e-40
    np.testing.assert_allclose(twice, once, rtol=1e-6, atol=least)


@every_encoding
@law
@given(delta=deltas(), weight=st.integers(-1000, 1000), bits=st.integers(0, 30))
def test_an_exact_sum_adds_what_decoding_gives(name: str, delta: Delta, weight: int, bits: int) -> None:
    """Against a slow twin, in integers: each value rounded once, or the scale of codes."""
    layout, values, chunk_elements = delta
    codec = encoder(name)
    encoded = codec.encode(values, layout, chunk_elements)
    for chunk, span in zip(encoded.chunks, spans(layout, chunk_elements), strict=True):
        total = ChunkSum(span.size, bits)
        add_chunk(total, chunk, encoding=name, span=span, scales=encoded.scales, weight=weight)
        assert total.values.tolist() == [weight * each for each in slow_integers(codec, chunk, span, encoded, bits)]
        units = np.abs(total.values - weight * codec.decode(chunk, span, encoded.scales).astype(np.float64) * 2.0**bits)
        assert (units <= abs(weight) * 64 + np.abs(total.values) * 2.0**-22).all()
        add_chunk(total, chunk, encoding=name, span=span, scales=encoded.scales, weight=-weight)
        assert not total.values.any()


def slow_integers(
    codec: TensorEncoding, chunk: bytes | memoryview, span: Span, encoded: Encoded, bits: int
) -> list[int]:
    """Each element of the chunk on the sum's grid, as it enters with weight 1."""
    integers = [0] * span.size
    for piece in codec.pieces(chunk, span, encoded.scales):
        assert not isinstance(piece, Sums)
        match piece:
            case Floats(start, floats):
                for place, value in enumerate(floats.tolist(), start):
                    integers[place] = round(Fraction(value) * 2**bits)
            case Scaled(start, codes, scale):
                for place, code in enumerate(codes.tolist(), start):
                    integers[place] = code * round(Fraction(scale) * 2**bits)
            case Sparse(indices, floats):
                for place, value in zip(indices.tolist(), floats.tolist(), strict=True):
                    integers[place] = round(Fraction(value) * 2**bits)
    return integers


@every_encoding
@law
@given(delta=deltas())
def test_pieces_are_what_is_decoded(name: str, delta: Delta) -> None:
    layout, values, chunk_elements = delta
    codec = encoder(name)
    encoded = codec.encode(values, layout, chunk_elements)
    for chunk, span in zip(encoded.chunks, spans(layout, chunk_elements), strict=True):
        whole = np.zeros(span.size, np.float32)
        for piece in codec.pieces(chunk, span, encoded.scales):
            match piece:
                case Floats(start, floats):
                    whole[start : start + floats.size] = floats
                case Scaled(start, codes, scale):
                    whole[start : start + codes.size] = codes.astype(np.float32) * np.float32(scale)
                case Sparse(indices, floats):
                    assert (np.diff(indices) > 0).all()
                    whole[indices] = floats
        np.testing.assert_array_equal(whole, codec.decode(chunk, span, encoded.scales))


@every_encoding
@examples(15)
@given(max_abs=st.sampled_from([0.1, 0.3, 1.0, 1000.0, 6e4]), bits=st.integers(0, 40), seed=st.integers(0, 99))
def test_no_element_within_the_limit_enters_beyond_what_a_partial_sum_allows(
    name: str, max_abs: float, bits: int, seed: int
) -> None:
    layout, codec = (TensorLayout(name="a", shape=(300,)),), encoder(name)
    values = np.random.default_rng(seed).uniform(-max_abs, max_abs, 300).astype(np.float32)
    values[:2] = max_abs, -max_abs
    encoded = codec.encode(values, layout, 300)
    bits = min(bits, fraction_bits(1, 1, max_abs))
    integers = slow_integers(codec, encoded.chunks[0], Span(layout, 0, 300), encoded, bits)
    assert max(map(abs, integers)) <= codec.largest_fixed(max_abs, bits)


@every_decoding
@given(raw=st.binary(max_size=700), start=st.integers(0, 9), data=st.data())
def test_bytes_of_anybody_are_judged_and_never_raise(name: str, raw: bytes, start: int, data: st.DataObject) -> None:
    codec, layout = get(name), (TensorLayout(name="a", shape=(3,)), TensorLayout(name="b", shape=(606,)))
    size = data.draw(st.sampled_from([1, 2, 5, 255, 256, 257, 600]))
    span = Span(layout, start, size)
    shortest, longest = codec.length_bounds(size)
    if data.draw(st.booleans(), label="a length that fits"):
        raw = (raw * (longest // max(len(raw), 1) + 1))[: data.draw(st.integers(shortest, longest))].ljust(shortest)
    asked = limits(fraction_bits=data.draw(st.integers(0, 62)))
    scales: tuple[float, ...] = (scale_of(3, asked.fraction_bits),) if name == "partial_sum" else ()
    if name == "int8":
        scales = tuple(data.draw(st.floats(0, 8, width=32)) for _ in layout)
    with np.errstate(all="raise"):
        fault = codec.check(raw, span, asked)
        assert codec.check(memoryview(raw), span, asked) is fault
    if not shortest <= len(raw) <= longest:
        assert fault is not None
    if fault is None and codec.check_scales(scales, layout, asked) is None:
        with np.errstate(all="raise", under="ignore", invalid="ignore"):
            values = codec.decode(raw, span, scales)
            inspect(values)
        assert values.shape == (size,)
        assert values.dtype == np.float32


@every_decoding
@given(
    scales=st.lists(st.floats() | st.sampled_from([0.0, 0.01, inf, -0.0, 1e300]), max_size=4).map(tuple),
    weight=st.sampled_from([1, 3, 2**53, 2**62]),
)
def test_scales_of_anybody_are_judged_and_never_raise(name: str, scales: tuple[float, ...], weight: int) -> None:
    layout = (TensorLayout(name="a", shape=(3,)), TensorLayout(name="b", shape=(6,)))
    for max_abs in (1e-30, 1.0, 1e300):
        get(name).check_scales(scales, layout, limits(max_abs=max_abs, weight=weight))
    if len(scales) not in (0, 1, 2):
        assert get(name).check_scales(scales, layout, limits(weight=weight)) is not None


@law
@given(values=hnp.arrays(np.uint32, st.integers(0, 50)))
def test_float32_keeps_every_bit_of_any_number_or_none(values: npt.NDArray[np.uint32]) -> None:
    layout = (TensorLayout(name="tensor", shape=(values.size,)),)
    encoded = encoder("float32").encode(values.view(np.float32), layout, 50)
    assert decoded(encoder("float32"), encoded, layout, 50).tobytes() == values.tobytes()


@law
@given(delta=deltas())
def test_int8_is_off_by_half_a_step_at_most(delta: Delta) -> None:
    layout, values, chunk_elements = delta
    encoded = encoder("int8").encode(values, layout, chunk_elements)
    found = decoded(encoder("int8"), encoded, layout, chunk_elements)
    start = 0
    for tensor, scale in zip(layout, encoded.scales, strict=True):
        stop = start + num_elements([tensor])
        error = np.abs(found[start:stop].astype(np.float64) - values[start:stop])
        # Half a step; what rounding scale and product to float32 adds; and the coarse grid of subnormal scales.
        assert np.all(error <= scale * (0.5 + 127 * 2.0**-22) + 127 * 2.0**-149)
        start = stop


@pytest.mark.parametrize(("name", "bits", "smallest"), [("float16", 11, 2.0**-24), ("bfloat16", 8, 2.0**-133)])
@law
@given(delta=deltas())
def test_short_floats_are_off_by_half_a_unit_at_most(name: str, bits: int, smallest: float, delta: Delta) -> None:
    layout, values, chunk_elements = delta
    codec = encoder(name)
    found = decoded(codec, codec.encode(values, layout, chunk_elements), layout, chunk_elements).astype(np.float64)
    assert (np.abs(found - values) <= np.maximum(np.abs(values) * 2.0**-bits, smallest / 2)).all()


@law
@given(delta=deltas())
def test_int4_is_off_by_half_a_step_at_most(delta: Delta) -> None:
    layout, values, chunk_elements = delta
    codec = encoder("int4")
    found = decoded(codec, codec.encode(values, layout, chunk_elements), layout, chunk_elements).astype(np.float64)
    for span in spans(layout, chunk_elements):
        for first in range(span.start, span.start + span.size, 256):
            block = slice(first, min(first + 256, span.start + span.size))
            step = np.abs(values[block]).max() / 7
            # Half a step; what rounding the scale to float16 adds, which has a coarse grid near 0.
            most = step * (0.5 + 7 * 2.0**-11) + 7 * 2.0**-25
            assert (np.abs(found[block] - values[block]) <= most).all()


@law
@given(delta=deltas())
def test_top_k_has_the_largest_elements_and_leaves_out_none_but_smaller_ones(delta: Delta) -> None:
    layout, values, chunk_elements = delta
    codec = encoder("top_k")
    found = decoded(codec, codec.encode(values, layout, chunk_elements), layout, chunk_elements)
    sent = found != 0
    np.testing.assert_allclose(found[sent], values[sent], rtol=2.0**-11, atol=2.0**-25)
    count = -(-values.size // 20)
    if values.size:
        least = np.sort(np.abs(values))[-count]
        assert (sent | (np.abs(values) <= np.maximum(least, 2.0**-25))).all()
