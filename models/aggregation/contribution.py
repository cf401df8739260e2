"""From a chunk's bytes, as they lie in the log, into the exact sum."""

from collections.abc import Sequence
from math import prod

import numpy as np

from fluvial.wire.records import TensorLayout
from models.aggregation.fixed_point import ChunkSum, Int8Segment


def add_chunk(
    total: ChunkSum,
    raw: bytes | memoryview,
    *,
    encoding: str,
    first_element: int,
    layout: Sequence[TensorLayout],
    scales: Sequence[float],
    weight: int,
) -> None:
    """Add weight * the chunk that `raw` encodes; elements count from `first_element` of the flattened model.

    A negative weight takes an earlier addition back. Encodings: float32 (little-endian), int8 (one scale per tensor of
    the layout), partial_sum (little-endian int64: another sum with as many fraction bits, of a region). Raises
    ValueError for another encoding, and for bytes that do not fit the sum.
    """
    num_elements = total.values.size
    if encoding == "float32":
        if len(raw) != 4 * num_elements:
            raise ValueError(f"chunk has {len(raw)} bytes, {num_elements} float32 elements are expected")
        total.add(np.frombuffer(raw, "<f4"), weight)
    elif encoding == "int8":
        if len(raw) != num_elements:
            raise ValueError(f"chunk has {len(raw)} bytes, {num_elements} int8 elements are expected")
        segments = int8_segments(layout, scales, first_element, num_elements)
        total.add_int8(np.frombuffer(raw, np.int8), segments, weight)
    elif encoding == "partial_sum":
        if len(raw) != 8 * num_elements:
            raise ValueError(f"chunk has {len(raw)} bytes, {num_elements} int64 elements are expected")
        np.add(total.values, np.frombuffer(raw, "<i8") * weight, out=total.values)
        total.total_weight += weight
    else:
        raise ValueError(f"encoding {encoding!r} has no exact sum")


def int8_segments(
    layout: Sequence[TensorLayout], scales: Sequence[float], first_element: int, num_elements: int
) -> list[Int8Segment]:
    """Parts of a chunk that share a scale. Raises ValueError if scales and layout differ in length."""
    segments = []
    tensor_start = -first_element
    for tensor, scale in zip(layout, scales, strict=True):
        tensor_stop = tensor_start + prod(tensor.shape)
        start, stop = max(tensor_start, 0), min(tensor_stop, num_elements)
        if start < stop:
            segments.append(Int8Segment(start=start, stop=stop, scale=scale))
        tensor_start = tensor_stop
    return segments
