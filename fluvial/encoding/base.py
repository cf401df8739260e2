"""What every tensor encoding does. Shapes: D elements of the flattened model, n elements of one chunk.

An encoding owns its chunks: how a delta is cut, how long a chunk is, which bytes are one, and what an exact sum adds of
it. A chunk is decoded alone, knowing the elements that it holds (`Span`) and the scales of its update. Nothing that
anybody sends makes a check raise.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from fluvial.encoding import limits as announced
from fluvial.encoding.limits import Limits
from fluvial.encoding.pieces import Floats, Piece
from fluvial.encoding.span import Layout, Span, size_of

Float32 = npt.NDArray[np.float32]
Bytes = bytes | memoryview


class Fault(StrEnum):
    """Why bytes or scales are refused; each is a reason of a verdict by the same name."""

    ENCODING = "ENCODING"
    MAGNITUDE_EXCEEDED = "MAGNITUDE_EXCEEDED"
    WEIGHT = "WEIGHT"


@dataclass(frozen=True, slots=True)
class Encoded:
    """A delta as it travels: its chunks in order, and the scales that its envelope carries.

    Chunks may be views of the delta: use them before it changes.
    """

    chunks: Sequence[Bytes]
    scales: tuple[float, ...] = ()


class TensorDecoding(ABC):
    """The numbers of a chunk of bytes. name: in records and task files. additive: whether an update that entered a sum
    with one coefficient and then another has entered with their sum."""

    name: ClassVar[str]
    additive: ClassVar[bool] = True

    @abstractmethod
    def length_bounds(self, num_elements: int) -> tuple[int, int]:
        """Least and most bytes of a chunk of so many elements."""

    @abstractmethod
    def decode(self, raw: Bytes, span: Span, scales: Sequence[float]) -> Float32:
        """float32[n], read-only or fresh. Raises ValueError where `check` or `check_scales` finds a fault in what is
        needed."""

    def check(self, raw: Bytes, span: Span, limits: Limits) -> Fault | None:
        """What is wrong with a chunk that its numbers do not show; it is read before they are."""
        least, most = self.length_bounds(span.size)
        return None if least <= len(raw) <= most else Fault.ENCODING

    def check_scales(self, scales: Sequence[float], layout: Layout, limits: Limits) -> Fault | None:
        """What is wrong with an update's scales."""
        return Fault.ENCODING if scales else None

    def pieces(self, raw: Bytes, span: Span, scales: Sequence[float]) -> Iterable[Piece]:
        """What an exact sum adds of the chunk. Raises ValueError as `decode`."""
        yield Floats(0, self.decode(raw, span, scales))

    def largest_element(self, max_abs: float) -> float:
        """Largest absolute value that decoding gives of elements within max_abs."""
        return announced.largest_element(max_abs)

    def largest_norm(self, limits: Limits) -> float:
        """Largest L2 norm of an update within the limit."""
        return announced.largest_norm(limits.max_norm)


class TensorEncoding(TensorDecoding):
    """Bytes for a delta, and back. lossless: whether what is decoded is the delta, to the bit. omits: whether elements
    are left out, so that a participant should remember them for its next update."""

    lossless: ClassVar[bool] = False
    omits: ClassVar[bool] = False

    @abstractmethod
    def encode(self, delta: Float32, layout: Layout, chunk_elements: int) -> Encoded:
        """The chunks of float32[D]. Raises ValueError for another shape or type, and for elements that the encoding
        cannot hold."""

    def largest_fixed(self, max_abs: float, fraction_bits: int) -> int:
        """Largest integer with which an element of an update of weight 1, within max_abs, enters an exact sum."""
        fixed: int = round(Fraction(self.largest_element(max_abs)) * 2**fraction_bits)
        return fixed


def check_delta(delta: npt.NDArray[Any], layout: Layout) -> None:
    """Raises ValueError unless the delta is float32[D]."""
    size = size_of(layout)
    if delta.dtype != np.float32 or delta.shape != (size,):
        raise ValueError(f"a delta of {delta.dtype}{list(delta.shape)} for {size} elements")


def check_length(decoding: TensorDecoding, raw: Bytes, span: Span) -> None:
    """Raises ValueError for bytes that are too few or too many for their span, or a span outside its model."""
    least, most = decoding.length_bounds(span.size)
    if not least <= len(raw) <= most or span.start < 0 or span.start + span.size > size_of(span.layout):
        raise ValueError(
            f"{len(raw)} bytes of {decoding.name} from element {span.start} on do not hold {span.size} elements"
        )
