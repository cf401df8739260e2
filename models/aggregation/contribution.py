"""From a chunk's bytes, as they lie in the log, into the exact sum."""

from collections.abc import Sequence
from math import prod

import numpy as np

from fluvial.encoding import partial_sum
from fluvial.encoding.partial_sum import PartialSumDecoding
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
    shift: int = 0,
) -> None:
    """Add weight * 2**-shift * the chunk that `raw` encodes; elements count from `first_element` of the flattened
    model.

    A negative weight takes an earlier addition back. Encodings: float32 (little-endian); int8 (one scale per tensor of
    the layout); partial_sum (little-endian int64: the sum of a region with as many fraction bits; its one scale is its
    own weight * 2**fraction_bits). A partial sum stands for its mean. Where `weight` is a multiple of its own and
    there is no shift, as in a weighted mean, its integers enter undivided; otherwise its mean does, rounded to float32
    like any update. Raises ValueError for another encoding, and for bytes that do not fit the sum.
    """
    num_elements = total.values.size
    if encoding == "float32":
        if len(raw) != 4 * num_elements:
            raise ValueError(f"chunk has {len(raw)} bytes, {num_elements} float32 elements are expected")
        total.add(np.frombuffer(raw, "<f4"), weight, shift)
    elif encoding == "int8":
        if len(raw) != num_elements:
            raise ValueError(f"chunk has {len(raw)} bytes, {num_elements} int8 elements are expected")
        segments = int8_segments(layout, scales, first_element, num_elements)
        total.add_int8(np.frombuffer(raw, np.int8), segments, weight, shift)
    elif encoding == "partial_sum":
        if len(raw) != 8 * num_elements:
            raise ValueError(f"chunk has {len(raw)} bytes, {num_elements} int64 elements are expected")
        _add_sum(total, raw, first_element, layout, scales, weight, shift)
    else:
        raise ValueError(f"encoding {encoding!r} has no exact sum")


def _add_sum(
    total: ChunkSum,
    raw: bytes | memoryview,
    first_element: int,
    layout: Sequence[TensorLayout],
    scales: Sequence[float],
    weight: int,
    shift: int,
) -> None:
    (scale,) = scales
    factor, rest = divmod(weight, partial_sum.weight_of(scale, total.fraction_bits))
    if rest or shift:
        mean = PartialSumDecoding().decode_chunk(bytes(raw), first_element, layout, scales)
        total.add(mean, weight, shift)
        return
    integers = partial_sum.sums(raw)
    np.add(total.values, integers if factor == 1 else integers * factor, out=total.values)
    total.total_weight += weight


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
