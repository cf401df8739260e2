"""int4 in blocks of 256 elements with a float16 scale each: symmetric quantisation, 4.06 bits an element.

value = code * scale, code in -7 .. 7, scale = max|x| / 7 of the block rounded to float16; such a product has 14 bits
and is a float32 exactly. Blocks count from the chunk's first element. A chunk of n elements is its scales,
little-endian, then its codes, two a byte: the element with the even number in the lower four bits, in two's complement;
-8 is not used, and a last half byte is 0. Blocks smaller than tensors keep a far element from costing others their
precision. Source: blockwise quantisation as in Dettmers et al., 2022, "8-bit Optimizers via Block-wise Quantization".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fluvial.encoding import float16
from fluvial.encoding.base import Bytes, Encoded, Fault, Float32, TensorEncoding, check_delta, check_length
from fluvial.encoding.limits import Limits
from fluvial.encoding.span import Layout, Span, spans

BLOCK = 256
LEVELS = 7

_CODES = np.arange(16)
_CODES = np.where(_CODES < 8, _CODES, _CODES - 16).astype(np.float32)
_PAIRS = np.stack([np.tile(_CODES, 16), np.repeat(_CODES, 16)], axis=1)
"""float32[256, 2]: the two codes in a byte."""
_BOTH = _PAIRS.view(np.float64).reshape(-1)
"""The same, each pair as one item to be copied."""
_UNUSED = (_PAIRS == -8).any(axis=1)


class Int4Encoding(TensorEncoding):
    """Enters sums as the float32 values that it stands for."""

    name = "int4"

    def length_bounds(self, num_elements: int) -> tuple[int, int]:
        length = 2 * _num_blocks(num_elements) + (num_elements + 1) // 2
        return length, length

    def encode(self, delta: Float32, layout: Layout, chunk_elements: int) -> Encoded:
        check_delta(delta, layout)
        return Encoded([_encoded(delta[span.start : span.start + span.size]) for span in spans(layout, chunk_elements)])

    def check(self, raw: Bytes, span: Span, limits: Limits) -> Fault | None:
        fault = super().check(raw, span, limits)
        if fault is not None:
            return fault
        scales, codes = _parts(raw, span.size)
        unused = bool(_UNUSED[codes].any()) or (span.size % 2 == 1 and codes[-1] >> 4 != 0)
        return Fault.ENCODING if unused or not np.isfinite(scales).all() or np.signbit(scales).any() else None

    def decode(self, raw: Bytes, span: Span, scales: Sequence[float]) -> Float32:
        check_length(self, raw, span)
        its_scales, codes = _parts(raw, span.size)
        padded = np.zeros((its_scales.size, BLOCK), np.float32)
        values = padded.reshape(-1)
        np.take(_BOTH, codes, out=values.view(np.float64)[: codes.size], mode="clip")
        padded *= its_scales.astype(np.float32)[:, None]
        return values[: span.size]

    def largest_element(self, max_abs: float) -> float:
        """7 times the rounded scale of a block with an element at the limit, where that is more than the limit."""
        limit = super().largest_element(max_abs)
        scale = float(float16.rounded(np.float64(min(limit / LEVELS, float16.LARGEST))))
        return max(limit, LEVELS * scale)


def _num_blocks(num_elements: int) -> int:
    return -(-num_elements // BLOCK)


@np.errstate(under="ignore")  # also where a caller has numpy raise
def _encoded(values: Float32) -> bytes:
    """A chunk of float32[n]. Raises ValueError for elements that have no scale."""
    padded = np.zeros(_num_blocks(values.size) * BLOCK, np.float32)
    padded[: values.size] = values
    blocks = padded.reshape(-1, BLOCK)
    scales = float16.rounded(np.abs(blocks).max(axis=1, initial=0.0) / np.float32(LEVELS))
    if not np.isfinite(scales).all():
        raise ValueError(f"int4 holds finite elements up to {LEVELS * float16.LARGEST:g}")
    divisors = scales.astype(np.float32)
    codes = np.rint(blocks / np.where(divisors > 0, divisors, np.float32(np.inf))[:, None])
    nibbles = np.clip(codes, -LEVELS, LEVELS).astype(np.int8).view(np.uint8).reshape(-1) & np.uint8(15)
    packed = nibbles[0::2] | nibbles[1::2] << np.uint8(4)
    parts: tuple[bytes, bytes] = scales.tobytes(), packed[: (values.size + 1) // 2].tobytes()
    return b"".join(parts)


def _parts(raw: Bytes, num_elements: int) -> tuple[npt.NDArray[np.float16], npt.NDArray[np.uint8]]:
    """Scales float16[blocks] and codes uint8[(n + 1) // 2] of a chunk."""
    count = _num_blocks(num_elements)
    return np.frombuffer(raw, "<f2", count), np.frombuffer(raw, np.uint8, offset=2 * count)
