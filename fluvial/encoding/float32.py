"""float32, little-endian, as it is: lossless, four bytes an element."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fluvial.encoding.base import Float32, check_chunk
from fluvial.wire.layout import num_elements
from fluvial.wire.records import TensorLayout


class Float32Encoding:
    """Implements `TensorEncoding`. A decoded chunk is a read-only view of the bytes, and the bytes are one of the delta
    where it lies in one piece: nothing is copied."""

    name = "float32"
    bytes_per_element = 4

    def encode(self, delta: Float32, layout: Sequence[TensorLayout]) -> tuple[memoryview, tuple[float, ...]]:
        if delta.dtype != np.float32 or delta.shape != (num_elements(layout),):
            raise ValueError(f"a delta of {delta.dtype}{list(delta.shape)} for {num_elements(layout)} elements")
        return np.ascontiguousarray(delta, dtype="<f4").view(np.uint8).data, ()

    def num_scales(self, layout: Sequence[TensorLayout]) -> int:
        return 0

    def decode_chunk(
        self, raw: bytes, first_element: int, layout: Sequence[TensorLayout], scales: Sequence[float]
    ) -> Float32:
        check_chunk(raw, self.bytes_per_element, first_element, num_elements(layout))
        return np.frombuffer(raw, dtype="<f4")
