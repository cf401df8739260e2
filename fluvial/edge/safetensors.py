"""Tensors as safetensors files: no code in them, and any framework reads them.

Format: the safetensors specification (8 bytes little-endian header length, a JSON header, the tensors' bytes), written
and read here so that the client needs no further package.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from fluvial.encoding.planes import values_of
from fluvial.encoding.span import elements_of
from fluvial.wire.records import TensorLayout

_ALIGNMENT = 8
_DTYPES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16", "float64": "F64"}
_ELEMENT_BYTES = {
    **dict.fromkeys(("F64", "I64", "U64"), 8),
    **dict.fromkeys(("F32", "I32", "U32"), 4),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 2),
    **dict.fromkeys(("I8", "U8", "BOOL"), 1),
}


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor as it lies in a file. dtype: as the specification names it. data: little-endian, rows first."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    data: bytes | memoryview


def to_safetensors(model_D: NDArray[np.float32], layout: Sequence[TensorLayout], metadata: Mapping[str, str]) -> bytes:
    """The file's bytes, each tensor in its own dtype. Raises ValueError when the layout has another number of elements
    than the model."""
    sizes = [elements_of(tensor) for tensor in layout]
    if sum(sizes) != model_D.size:
        raise ValueError(f"a layout of {sum(sizes)} elements for a model of {model_D.size}")
    tensors, first = [], 0
    for tensor, size in zip(layout, sizes, strict=True):
        data = _bytes_of(model_D[first : first + size], tensor.dtype)
        tensors.append(Stored(tensor.name, _DTYPES[tensor.dtype], tuple(tensor.shape), data))
        first += size
    return file_of(tensors, metadata)


def file_of(tensors: Iterable[Stored], metadata: Mapping[str, str]) -> bytes:
    """The bytes of a file with these tensors, in their order: the same ones give the same bytes."""
    header: dict[str, object] = {"__metadata__": dict(metadata)}
    parts, position = [], 0
    for tensor in tensors:
        end = position + len(tensor.data)
        header[tensor.name] = {
            "dtype": tensor.dtype,
            "shape": list(tensor.shape),
            "data_offsets": [position, end],
        }
        parts.append(tensor.data)
        position = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    return b"".join([len(text).to_bytes(8, "little"), text, *parts])


def stored_in(content: bytes) -> list[Stored]:
    """The tensors of a file, in the order of its header; their data are views of the content. Raises ValueError that
    says why it is none, also for elements of a type that is not read here."""
    length = int.from_bytes(content[:8], "little")
    data = memoryview(content)[8 + length :]
    try:
        header = json.loads(content[8 : 8 + length])
        entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
        return [
            _stored(name, entry["dtype"], entry["shape"], data, *entry["data_offsets"])
            for name, entry in entries.items()
        ]
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"its header is not of such a file: {error}") from error


def _stored(name: str, dtype: str, shape: Sequence[int], data: memoryview, first: int, stop: int) -> Stored:
    if dtype not in _ELEMENT_BYTES:
        raise ValueError(f"tensor {name} is of type {dtype!s:.20}, which is not read here")
    if not all(type(number) is int and number >= 0 for number in (*shape, first, stop)):
        raise ValueError(f"tensor {name} has neither shape nor place")
    if not first <= stop <= len(data) or stop - first != prod(shape) * _ELEMENT_BYTES[dtype]:
        raise ValueError(f"tensor {name} does not lie in the file")
    return Stored(name, dtype, tuple(shape), data[first:stop])


def metadata_of(content: bytes) -> Mapping[str, str]:
    """What a file says of itself; nothing for bytes that are no such file."""
    length = int.from_bytes(content[:8], "little")
    try:
        metadata = json.loads(content[8 : 8 + length])["__metadata__"] if length < len(content) else {}
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return {str(name): str(value) for name, value in metadata.items()} if isinstance(metadata, dict) else {}


def _bytes_of(elements: NDArray[np.float32], dtype: str) -> bytes:
    """The elements in the tensor's own dtype, little-endian, rounded to the nearest where it is narrower."""
    if dtype == "float64":
        return values_of(elements).astype("<f8").tobytes()
    if dtype == "float16":
        with np.errstate(over="ignore"):
            return elements.astype("<f2").tobytes()
    if dtype == "bfloat16":
        bits = elements.astype(np.float32).view(np.uint32).astype(np.uint64)
        nearest = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16  # to even, as torch does; NaN is no element of a model
        return nearest.astype("<u2").tobytes()
    return elements.astype("<f4", copy=False).tobytes()
