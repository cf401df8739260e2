"""int8 with one scale per tensor: symmetric quantisation, one byte an element.

value = int8 * scale, scale = max|x| / 127 of the tensor, rounded to a float32 so that the product of the two is one
float32 rounding on every machine. -128 is not used. Source: symmetric uniform quantisation, as in Jacob et al., 2018,
"Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", section 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, prod

import numpy as np

from fluvial.encoding import limits
from fluvial.encoding.base import Float32, check_chunk
from fluvial.wire.layout import num_elements
from fluvial.wire.records import TensorLayout

LEVELS = 127


def largest_scale(max_abs: float) -> float:
    """Scale that the encoding gives a tensor whose largest element is at the limit. Infinite beyond float32."""
    with np.errstate(over="ignore"):
        return float(np.float32(limits.largest_element(max_abs) / LEVELS))


def largest_element(max_abs: float) -> float:
    """Largest value that the encoding makes of elements within max_abs: 127 times the largest scale, rounded to
    float32, may lie a unit in the last place above the limit."""
    with np.errstate(over="ignore"):
        most = float(np.float32(largest_scale(max_abs)) * np.float32(LEVELS))
    return max(limits.largest_element(max_abs), most) if isfinite(most) else limits.largest_element(max_abs)


class Int8Encoding:
    """Implements `TensorEncoding`."""

    name = "int8"
    bytes_per_element = 1

    def encode(self, delta: Float32, layout: Sequence[TensorLayout]) -> tuple[bytes, tuple[float, ...]]:
        """Raises ValueError for another shape, or for elements that are not finite: they have no scale."""
        if delta.dtype != np.float32 or delta.shape != (num_elements(layout),):
            raise ValueError(f"a delta of {delta.dtype}{list(delta.shape)} for {num_elements(layout)} elements")
        codes = np.empty(delta.size, np.int8)
        scales, start = [], 0
        for tensor in layout:
            stop = start + prod(tensor.shape)
            values = delta[start:stop]
            largest = float(np.max(np.abs(values), initial=0.0))
            if not isfinite(largest):
                raise ValueError(f"tensor {tensor.name} has elements that are not finite")
            scale = np.float32(largest / LEVELS)
            quotients = values / scale if scale > 0 else np.zeros_like(values)
            codes[start:stop] = np.clip(np.rint(quotients), -LEVELS, LEVELS)
            scales.append(float(scale))
            start = stop
        return codes.tobytes(), tuple(scales)

    def num_scales(self, layout: Sequence[TensorLayout]) -> int:
        return len(layout)

    def decode_chunk(
        self, raw: bytes, first_element: int, layout: Sequence[TensorLayout], scales: Sequence[float]
    ) -> Float32:
        count = check_chunk(raw, self.bytes_per_element, first_element, num_elements(layout))
        if len(scales) != len(layout):
            raise ValueError(f"{len(scales)} scales for {len(layout)} tensors")
        out = np.frombuffer(raw, dtype=np.int8).astype(np.float32)
        start = 0
        with np.errstate(over="ignore", invalid="ignore"):  # a hostile scale gives inf or NaN, which admission refuses
            for tensor, scale in zip(layout, scales, strict=True):
                stop = start + prod(tensor.shape)
                low, high = max(start - first_element, 0), min(stop - first_element, count)
                if low < high:
                    out[low:high] *= np.float32(scale)
                start = stop
        return out
