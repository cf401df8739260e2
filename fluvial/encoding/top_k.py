"""The twentieth of the elements that are largest in magnitude, as float16, and where they are: three bytes each.

For slow links: 1.2 bits an element. A chunk is its gaps, one byte each, then its values, float16, little-endian: a gap
counts the elements that are left out before the next one. Where more than 255 would be, the element after 255 of them
is sent as well, whatever its value. A chunk has one value at least. Which elements are largest is decided over the
whole delta, so chunks differ in length; of equal ones the earlier count.

What is not sent is not lost to who remembers it: see `fluvial.edge.error_feedback`. Rules that compare coordinates see
mostly zeros, so medians and Krum make little of such updates. Source: Stich, Cordonnier and Jaggi, 2018, "Sparsified
SGD with Memory".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from fluvial.encoding import float16
from fluvial.encoding.base import Bytes, Encoded, Fault, Float32, TensorEncoding, check_delta, check_length
from fluvial.encoding.limits import Limits
from fluvial.encoding.pieces import Piece, Sparse
from fluvial.encoding.span import Layout, Span, spans

FRACTION = 0.05
_LONGEST = 255
_BYTES = 3


class TopKEncoding(TensorEncoding):
    """Enters sums value by value, at its place."""

    name = "top_k"
    omits: ClassVar[bool] = True

    def length_bounds(self, num_elements: int) -> tuple[int, int]:
        return _BYTES, _BYTES * num_elements

    def encode(self, delta: Float32, layout: Layout, chunk_elements: int) -> Encoded:
        check_delta(delta, layout)
        kept = largest(delta, ceil(FRACTION * delta.size))
        chunks = []
        for span in spans(layout, chunk_elements):
            first, last = np.searchsorted(kept, [span.start, span.start + span.size])
            chunks.append(_encoded(delta[span.start : span.start + span.size], kept[first:last] - span.start))
        return Encoded(chunks)

    def check(self, raw: Bytes, span: Span, limits: Limits) -> Fault | None:
        fault = super().check(raw, span, limits)
        if fault is None and (len(raw) % _BYTES or _indices(raw)[-1] >= span.size):
            return Fault.ENCODING
        return fault

    def decode(self, raw: Bytes, span: Span, scales: Sequence[float]) -> Float32:
        indices, values = self._entries(raw, span)
        dense = np.zeros(span.size, np.float32)
        dense[indices] = values
        return dense

    def pieces(self, raw: Bytes, span: Span, scales: Sequence[float]) -> Iterable[Piece]:
        yield Sparse(*self._entries(raw, span))

    def largest_element(self, max_abs: float) -> float:
        """The limit, rounded to float16."""
        return float16.Float16Encoding().largest_element(max_abs)

    def _entries(self, raw: Bytes, span: Span) -> tuple[npt.NDArray[np.int64], Float32]:
        """Places int64[m] in the chunk, ascending, and float32[m] values. Raises ValueError for places outside."""
        check_length(self, raw, span)
        if len(raw) % _BYTES:
            raise ValueError(f"{len(raw)} bytes are no values of {_BYTES} bytes each")
        indices = _indices(raw)
        if indices[-1] >= span.size:
            raise ValueError(f"a value at element {indices[-1]} of a chunk of {span.size}")
        return indices, np.frombuffer(raw, "<f2", offset=indices.size).astype(np.float32)


def largest(delta: Float32, count: int) -> npt.NDArray[np.int64]:
    """Places int64[count] of the elements that are largest in magnitude, ascending; of equal ones the earlier."""
    if not 0 < count < delta.size:
        return np.arange(delta.size)[:count]
    sizes = np.abs(delta)
    least = np.partition(sizes, delta.size - count)[delta.size - count]
    above, equal = np.flatnonzero(sizes > least), np.flatnonzero(sizes == least)
    places: npt.NDArray[np.int64] = np.sort(np.concatenate([above, equal[: count - above.size]]))
    return places


def _encoded(values: Float32, kept: npt.NDArray[np.int64]) -> bytes:
    """A chunk float32[n] with these places kept, ascending. Raises ValueError for values beyond float16."""
    if not kept.size:
        kept = np.abs(values).argmax(keepdims=True)
    gaps = np.diff(kept, prepend=-1) - 1
    far = gaps > _LONGEST
    between = [
        np.arange(place - gap + _LONGEST, place, _LONGEST + 1)
        for place, gap in zip(kept[far].tolist(), gaps[far].tolist(), strict=True)
    ]
    places = np.sort(np.concatenate([kept, *between]))
    codes = float16.Float16Encoding().to_codes(values[places])
    return (np.diff(places, prepend=-1) - 1).astype(np.uint8).tobytes() + codes.tobytes()


def _indices(raw: Bytes) -> npt.NDArray[np.int64]:
    """Places int64[m] of the m values."""
    gaps = np.frombuffer(raw, np.uint8, len(raw) // _BYTES)
    indices: npt.NDArray[np.int64] = np.cumsum(gaps.astype(np.int64) + 1) - 1
    return indices
