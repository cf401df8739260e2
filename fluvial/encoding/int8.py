"""int8 with one scale per tensor: symmetric quantisation, one byte an element.

value = int8 * scale, scale = max|x| / 127 of the tensor, rounded to a float32 so that the product of the two is one
float32 rounding on every machine. -128 is not used. Source: symmetric uniform quantisation, as in Jacob et al., 2018,
"Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", section 2.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import isfinite

import numpy as np

from fluvial.encoding import limits as announced
from fluvial.encoding.base import Bytes, Encoded, Fault, Float32, TensorEncoding, check_delta, check_length
from fluvial.encoding.chunks import split
from fluvial.encoding.limits import Limits
from fluvial.encoding.pieces import Piece, Scaled
from fluvial.encoding.span import Layout, Span, elements_of

LEVELS = 127


def largest_scale(max_abs: float) -> float:
    """Scale that the encoding gives a tensor whose largest element is at the limit. Infinite beyond float32."""
    with np.errstate(over="ignore"):
        return float(np.float32(announced.largest_element(max_abs) / LEVELS))


class Int8Encoding(TensorEncoding):
    """Enters sums as integers: codes times the scale, which is rounded to the sum's grid once."""

    name = "int8"

    def length_bounds(self, num_elements: int) -> tuple[int, int]:
        return num_elements, num_elements

    @np.errstate(under="ignore")  # also where a caller has numpy raise
    def encode(self, delta: Float32, layout: Layout, chunk_elements: int) -> Encoded:
        check_delta(delta, layout)
        codes = np.empty(delta.size, np.int8)
        scales, start = [], 0
        for tensor in layout:
            stop = start + elements_of(tensor)
            values = delta[start:stop]
            largest = float(np.max(np.abs(values), initial=0.0))
            if not isfinite(largest):
                raise ValueError(f"tensor {tensor.name} has elements that are not finite")
            scale = np.float32(largest / LEVELS)
            quotients = values / scale if scale > 0 else np.zeros_like(values)
            codes[start:stop] = np.clip(np.rint(quotients), -LEVELS, LEVELS)
            scales.append(float(scale))
            start = stop
        return Encoded(list(split(codes.tobytes(), chunk_elements)), tuple(scales))

    def check(self, raw: Bytes, span: Span, limits: Limits) -> Fault | None:
        unused = len(raw) > 0 and np.frombuffer(raw, np.int8).min() < -LEVELS
        return Fault.ENCODING if unused else super().check(raw, span, limits)

    def check_scales(self, scales: Sequence[float], layout: Layout, limits: Limits) -> Fault | None:
        """A scale is a float32, not negative, and no larger than the encoding makes it of values within max_abs. A
        larger scale with small codes would pass the content's checks and overflow the exact sum.
        """
        if len(scales) != len(layout):
            return Fault.ENCODING
        with np.errstate(over="ignore", invalid="ignore"):
            values = np.array(scales, np.float64)
            exact = values.astype(np.float32).astype(np.float64) == values
        if not (np.isfinite(values).all() and exact.all() and (values >= 0.0).all()):
            return Fault.ENCODING
        return Fault.MAGNITUDE_EXCEEDED if (values > largest_scale(limits.max_abs)).any() else None

    def decode(self, raw: Bytes, span: Span, scales: Sequence[float]) -> Float32:
        _check(self, raw, span, scales)
        out = np.frombuffer(raw, dtype=np.int8).astype(np.float32)
        with np.errstate(over="ignore", invalid="ignore"):  # a hostile scale gives inf or NaN, which admission refuses
            for tensor, first, stop in span.tensors():
                out[first:stop] *= np.float32(scales[tensor])
        return out

    def pieces(self, raw: Bytes, span: Span, scales: Sequence[float]) -> Iterable[Piece]:
        _check(self, raw, span, scales)
        codes = np.frombuffer(raw, dtype=np.int8)
        for tensor, first, stop in span.tensors():
            yield Scaled(first, codes[first:stop], scales[tensor])

    def largest_element(self, max_abs: float) -> float:
        """127 times the largest scale, rounded to float32, may lie a unit in the last place above the limit."""
        with np.errstate(over="ignore"):
            most = float(np.float32(largest_scale(max_abs)) * np.float32(LEVELS))
        limit = super().largest_element(max_abs)
        return max(limit, most) if isfinite(most) else limit

    def largest_fixed(self, max_abs: float, fraction_bits: int) -> int:
        scale = largest_scale(max_abs)
        if not isfinite(scale):
            return super().largest_fixed(max_abs, fraction_bits)
        unit: int = round(Fraction(scale) * 2**fraction_bits)
        return LEVELS * unit


def _check(encoding: Int8Encoding, raw: Bytes, span: Span, scales: Sequence[float]) -> None:
    check_length(encoding, raw, span)
    if len(scales) != len(span.layout):
        raise ValueError(f"{len(scales)} scales for {len(span.layout)} tensors")
