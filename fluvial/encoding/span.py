"""Which elements of a model a chunk holds, and how whole chunks cover a model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import NamedTuple, Protocol

PLANES = {"float32": 1, "float16": 1, "bfloat16": 1, "float64": 3}
"""By the dtype that a module holds a tensor as, how many float32 tensors of its shape travel for it."""


class Tensor(Protocol):
    """What an encoding knows of a tensor: its shape and dtype, and a name for messages."""

    @property
    def name(self) -> str: ...

    @property
    def shape(self) -> Sequence[int]: ...

    @property
    def dtype(self) -> str: ...


Layout = Sequence[Tensor]


class Chunked(Protocol):
    """A model of a layout that is cut in chunks: a round, a manifest."""

    @property
    def layout(self) -> Layout: ...

    @property
    def num_elements(self) -> int: ...

    @property
    def chunk_elements(self) -> int: ...


class Span(NamedTuple):
    """Elements [start, start + size) of a flattened model of this layout."""

    layout: Layout
    start: int
    size: int

    @classmethod
    def of(cls, model: Chunked, index: int) -> Span:
        """The elements of chunk `index`."""
        size = model.chunk_elements
        start = index * size
        return cls(model.layout, start, min(size, model.num_elements - start))

    def tensors(self) -> Iterator[tuple[int, int, int]]:
        """(tensor, first, stop) of each tensor that has elements here, counted from the span's start."""
        start = -self.start
        for number, tensor in enumerate(self.layout):
            stop = start + elements_of(tensor)
            first, last = max(start, 0), min(stop, self.size)
            if first < last:
                yield number, first, last
            start = stop


def size_of(layout: Layout) -> int:
    """Elements of all tensors."""
    return sum(map(elements_of, layout))


def elements_of(tensor: Tensor) -> int:
    """float32 elements that travel for a tensor. Raises ValueError for a dtype that does not travel."""
    if tensor.dtype not in PLANES:
        raise ValueError(f"tensor {tensor.name} is {tensor.dtype!r}; these travel: {', '.join(PLANES)}")
    return PLANES[tensor.dtype] * prod(tensor.shape)


def spans(layout: Layout, chunk_elements: int) -> Iterator[Span]:
    """The chunks of a model, in order; the last may be shorter. Raises ValueError for chunks below one element."""
    if chunk_elements < 1:
        raise ValueError(f"chunks of {chunk_elements} elements")
    size = size_of(layout)
    for start in range(0, size, chunk_elements):
        yield Span(layout, start, min(chunk_elements, size - start))
