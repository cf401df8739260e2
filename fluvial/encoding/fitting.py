"""Encoding a delta so that what is decoded keeps the round's norm limit where the delta does. Shapes: D elements.

Rounding to fewer bits may lengthen a delta: a little where each element is rounded by itself, by some per cent where
few levels stand for many values. A participant that clips to the announced norm would be refused for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import sqrt

import numpy as np

from fluvial.encoding import limits
from fluvial.encoding.base import Encoded, Float32, TensorDecoding, TensorEncoding
from fluvial.encoding.inspection import inspect
from fluvial.encoding.span import Layout, spans

_MARGINS = [2.0 ** (place - 20) for place in range(0, 20, 2)]
"""How much more than its excess a delta is shortened by, one after the other: where values are rounded up together, it
takes a step of theirs until they no longer are."""


def encode_within(
    encoding: TensorEncoding, delta: Float32, layout: Layout, chunk_elements: int, max_norm: float
) -> Encoded:
    """The chunks of float32[D]; where only encoding takes it beyond max_norm, of the delta a little shortened.

    max_norm: 0 for no limit. A delta that is too long itself is encoded as it is. Raises ValueError as `encode`.
    """
    if encoding.lossless or max_norm == 0.0 or norm_of([delta]) > limits.largest_norm(max_norm):
        return encoding.encode(delta, layout, chunk_elements)
    return encode_shortened(encoding, delta, layout, chunk_elements, max_norm)


@np.errstate(under="ignore")  # also where a caller has numpy raise
def encode_shortened(
    encoding: TensorEncoding, delta: Float32, layout: Layout, chunk_elements: int, max_norm: float
) -> Encoded:
    """The chunks of float32[D], or of as much less of it as keeps max_norm, above 0. Raises ValueError as `encode`."""
    encoded, most = encoding.encode(delta, layout, chunk_elements), limits.largest_norm(max_norm)
    first = norm = norm_of(decoded(encoding, encoded, layout, chunk_elements))
    for margin in _MARGINS:
        if norm <= most:
            break
        encoded = encoding.encode(delta * np.float32(most / first * (1.0 - margin)), layout, chunk_elements)
        norm = norm_of(decoded(encoding, encoded, layout, chunk_elements))
    return encoded


def decoded(encoding: TensorDecoding, encoded: Encoded, layout: Layout, chunk_elements: int) -> Iterator[Float32]:
    """What the chunks stand for, float32[n] each, in order."""
    for chunk, span in zip(encoded.chunks, spans(layout, chunk_elements), strict=True):
        yield encoding.decode(chunk, span, encoded.scales)


def norm_of(chunks: Iterable[Float32]) -> float:
    """L2 norm, as admission measures it."""
    return sqrt(sum(inspect(chunk)[2] for chunk in chunks))
