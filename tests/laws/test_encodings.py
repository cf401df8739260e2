"""Laws of every tensor encoding: the width is constant, shards are independent, the error has a bound."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fluvial.encoding import ENCODINGS, get
from fluvial.encoding.chunks import split
from fluvial.wire.layout import num_elements
from fluvial.wire.records import TensorLayout

Float32 = npt.NDArray[np.float32]
Delta = tuple[tuple[TensorLayout, ...], Float32]

every_encoding = pytest.mark.parametrize("name", ENCODINGS)
law = settings(max_examples=100, deadline=None)


@st.composite
def deltas(draw: st.DrawFn) -> Delta:
    """A layout, empty tensors and scalars included, and a finite delta of it."""
    shapes = draw(st.lists(st.lists(st.integers(0, 5), max_size=3).map(tuple), min_size=1, max_size=4))
    layout = tuple(TensorLayout(name=f"tensor-{index}", shape=shape) for index, shape in enumerate(shapes))
    elements = st.floats(-(2.0**99), 2.0**99, width=32)
    return layout, draw(hnp.arrays(np.float32, num_elements(layout), elements=elements))


@every_encoding
@law
@given(delta=deltas())
def test_every_element_takes_the_same_bytes(name: str, delta: Delta) -> None:
    layout, values = delta
    raw, scales = get(name).encode(values, layout)
    assert len(raw) == values.size * get(name).bytes_per_element
    assert len(scales) == get(name).num_scales(layout)


@every_encoding
@law
@given(delta=deltas(), chunk_elements=st.integers(1, 40))
def test_chunks_decode_alone_to_what_the_whole_decodes_to(name: str, delta: Delta, chunk_elements: int) -> None:
    layout, values = delta
    encoding = get(name)
    raw, scales = encoding.encode(values, layout)
    parts = [
        encoding.decode_chunk(bytes(chunk), index * chunk_elements, layout, scales)
        for index, chunk in enumerate(split(raw, chunk_elements, encoding.bytes_per_element))
    ]
    whole = encoding.decode_chunk(raw, 0, layout, scales)
    assert np.concatenate([np.zeros(0, np.float32), *parts]).tobytes() == whole.tobytes()


@every_encoding
@law
@given(delta=deltas())
def test_encoding_what_was_decoded_changes_nothing_more(name: str, delta: Delta) -> None:
    layout, values = delta
    encoding = get(name)
    once = encoding.decode_chunk(*_arguments(*encoding.encode(values, layout), layout))
    twice = encoding.decode_chunk(*_arguments(*encoding.encode(once, layout), layout))
    np.testing.assert_allclose(twice, once, rtol=1e-6, atol=1e-40)


@law
@given(values=hnp.arrays(np.uint32, st.integers(0, 50)))
def test_float32_keeps_every_bit_of_any_number_or_none(values: npt.NDArray[np.uint32]) -> None:
    layout = (TensorLayout(name="tensor", shape=(values.size,)),)
    raw, scales = get("float32").encode(values.view(np.float32), layout)
    assert get("float32").decode_chunk(raw, 0, layout, scales).tobytes() == values.tobytes()


@law
@given(delta=deltas())
def test_int8_is_off_by_half_a_step_at_most(delta: Delta) -> None:
    layout, values = delta
    raw, scales = get("int8").encode(values, layout)
    decoded = get("int8").decode_chunk(raw, 0, layout, scales)
    assert -128 not in np.frombuffer(raw, np.int8)
    start = 0
    for tensor, scale in zip(layout, scales, strict=True):
        stop = start + num_elements([tensor])
        error = np.abs(decoded[start:stop].astype(np.float64) - values[start:stop])
        # Half a step; what rounding scale and product to float32 adds; and the coarse grid of subnormal scales.
        assert np.all(error <= scale * (0.5 + 127 * 2.0**-22) + 127 * 2.0**-149)
        start = stop


def _arguments(
    raw: bytes, scales: tuple[float, ...], layout: tuple[TensorLayout, ...]
) -> tuple[bytes, int, tuple[TensorLayout, ...], tuple[float, ...]]:
    return raw, 0, layout, scales
