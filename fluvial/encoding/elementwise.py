"""Encodings in which every element is a number of the same width, by itself. Shapes: n elements of one chunk."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from fluvial.encoding.base import Bytes, Encoded, Float32, TensorEncoding, check_delta, check_length
from fluvial.encoding.chunks import split
from fluvial.encoding.span import Layout, Span


class ElementwiseEncoding(TensorEncoding):
    """dtype: of one element's bytes, little-endian."""

    dtype: ClassVar[np.dtype[Any]]

    @abstractmethod
    def to_codes(self, values: Float32) -> npt.NDArray[Any]:
        """[n] of the dtype, of float32[n]. Raises ValueError for values that it cannot hold."""

    @abstractmethod
    def from_codes(self, codes: npt.NDArray[Any]) -> Float32:
        """float32[n] of [n], exactly."""

    def length_bounds(self, num_elements: int) -> tuple[int, int]:
        length = num_elements * self.dtype.itemsize
        return length, length

    def encode(self, delta: Float32, layout: Layout, chunk_elements: int) -> Encoded:
        check_delta(delta, layout)
        encoded = np.ascontiguousarray(self.to_codes(delta)).view(np.uint8).data
        return Encoded(list(split(encoded, chunk_elements * self.dtype.itemsize)))

    def decode(self, raw: Bytes, span: Span, scales: Sequence[float]) -> Float32:
        check_length(self, raw, span)
        return self.from_codes(np.frombuffer(raw, dtype=self.dtype))
