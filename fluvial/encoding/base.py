"""What every tensor encoding does. Shapes: D elements of the flattened model, n elements of one chunk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from fluvial.wire.records import TensorLayout

Float32 = npt.NDArray[np.float32]


class TensorDecoding(Protocol):
    """The delta of a chunk of bytes. Every element takes the same number of bytes."""

    @property
    def name(self) -> str: ...

    @property
    def bytes_per_element(self) -> int: ...

    def num_scales(self, layout: Sequence[TensorLayout]) -> int:
        """How many scales an update of this layout has."""

    def decode_chunk(
        self, raw: bytes, first_element: int, layout: Sequence[TensorLayout], scales: Sequence[float]
    ) -> Float32:
        """float32[n] of one chunk, whose first element is `first_element` of the model.

        Raises ValueError when the bytes are not whole elements, lie outside the model, or the scales do not fit.
        """


class TensorEncoding(TensorDecoding, Protocol):
    """Bytes for a delta, and back."""

    def encode(self, delta: Float32, layout: Sequence[TensorLayout]) -> tuple[bytes | memoryview, tuple[float, ...]]:
        """Bytes of float32[D], and the scales that belong to them (empty if the encoding has none).

        The bytes may be a view of the delta: use them before it changes.
        """


def check_chunk(raw: bytes, bytes_per_element: int, first_element: int, num_elements: int) -> int:
    """Elements of the chunk. Raises ValueError when they are not whole or lie outside the model."""
    count, rest = divmod(len(raw), bytes_per_element)
    if rest or first_element < 0 or first_element + count > num_elements:
        raise ValueError(f"{len(raw)} bytes from element {first_element} on do not lie in {num_elements} elements")
    return count
