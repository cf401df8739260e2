"""How a model lies in memory and in a log: tensors, flattened and concatenated, cut in chunks of equal element counts.

All elements are float32, whatever dtype a module holds a tensor as: those of 16 bits are exact in it, and a float64
tensor is three of its shape, whose sum it is.

Chunk j covers elements [j * chunk_elements, (j + 1) * chunk_elements) of every update and of the model, whatever the
encoding, so a shard of the model is a set of chunks.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Sequence

from fluvial.encoding.span import elements_of
from fluvial.wire.records import TensorLayout

_COUNT = struct.Struct(">I")
_MARK = 1 << 31
_SIZE = struct.Struct(">q")


def layout_digest(layout: Sequence[TensorLayout]) -> bytes:
    """SHA-256 over the ordered names and shapes, each with its length, integers big-endian. 32 bytes.

    A dtype that is not float32 follows its tensor: its length with the highest bit set, which no length of a name has,
    and its name.
    """
    digest = hashlib.sha256(b"fluvial layout 1\n")
    for tensor in layout:
        name = tensor.name.encode()
        digest.update(_COUNT.pack(len(name)) + name + _COUNT.pack(len(tensor.shape)))
        for size in tensor.shape:
            digest.update(_SIZE.pack(size))
        if tensor.dtype != "float32":
            dtype = tensor.dtype.encode()
            digest.update(_COUNT.pack(_MARK | len(dtype)) + dtype)
    return digest.digest()


def check_same(module: Sequence[TensorLayout], other: Sequence[TensorLayout]) -> None:
    """Raises ValueError, saying where, unless what travels of a module has the other layout, a round's for example."""
    if tuple(other) == tuple(module):
        return
    for own, wanted in zip(module, other, strict=False):
        if own != wanted:
            raise ValueError(
                f"the module's state does not fit the round's layout: it has {_shown(own)} where the round has "
                f"{_shown(wanted)}; builder, parameters and package must be those that the task was created with"
            )
    raise ValueError(
        f"the module's state does not fit the round's layout: {len(module)} of its tensors travel, and the round has "
        f"{len(other)}"
    )


def _shown(tensor: TensorLayout) -> str:
    return f"{tensor.name} {tensor.dtype}{list(tensor.shape)}"


def num_elements(layout: Iterable[TensorLayout]) -> int:
    """Elements of all tensors. Raises ValueError for a negative size, and for a dtype that does not travel."""
    total = 0
    for tensor in layout:
        if any(size < 0 for size in tensor.shape):
            raise ValueError(f"tensor {tensor.name} has a negative size")
        total += elements_of(tensor)
    return total


def num_chunks(num_elements: int, chunk_elements: int) -> int:
    """Chunks of a model; the last may be shorter."""
    return -(-num_elements // chunk_elements)


def chunk_length(chunk: int, num_elements: int, chunk_elements: int) -> int:
    """Elements of chunk `chunk`."""
    return min(chunk_elements, num_elements - chunk * chunk_elements)


def chunk_partition(task: str, chunk: int, partitions: int) -> int:
    """Partition of a chunk: chunks of a task go round, each task starts elsewhere."""
    start = int.from_bytes(hashlib.sha256(task.encode()).digest()[:4])
    return (chunk + start) % partitions


def model_digest(chunk_sha256s: Iterable[bytes]) -> bytes:
    """SHA-256 over the concatenated SHA-256 of the chunks, 32 bytes: shards compute their part alone."""
    return hashlib.sha256(b"".join(chunk_sha256s)).digest()
