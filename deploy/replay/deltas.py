"""The encoded deltas of a version's updates, chunk by chunk, read from the log in batches of bounded size.

Shapes: N updates, n elements of one chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from deploy.replay.evidence import ReplayLog, Update
from fluvial import encoding
from fluvial.wire.errors import ChunkUnavailable
from fluvial.wire.layout import chunk_length
from fluvial.wire.records import ModelManifest

Float32 = npt.NDArray[np.float32]
T = TypeVar("T")


class Deltas:
    """Reads deltas, a batch while the one before it is worked on."""

    def __init__(self, log: ReplayLog, batch_bytes: int, on_read: Callable[[int, int], None]) -> None:
        """batch_bytes: of all updates together, at least one chunk of each. on_read(bytes read, bytes asked for)."""
        self._log, self._batch_bytes, self._on_read = log, batch_bytes, on_read
        self._bytes_asked = 0
        self.bytes_read = 0

    def batches(
        self, manifest: ModelManifest, updates: Sequence[Update], indices: Sequence[int]
    ) -> Iterator[dict[int, list[bytes]]]:
        """By chunk the N deltas' bytes; every chunk of `indices` once, in order.

        Raises ChunkUnavailable if one is gone or is not the one that was signed.
        """
        num_bytes = sum(update.bytes_per_element for update in updates)
        size = max(1, self._batch_bytes // max(1, num_bytes * manifest.chunk_elements))
        self._bytes_asked += sum(num_bytes * _length(manifest, index) for index in indices)
        batches = [indices[first : first + size] for first in range(0, len(indices), size)]
        for raws in _ahead(batches, lambda batch: self._read(manifest, updates, batch)):
            self.bytes_read += sum(len(raw) for chunk in raws.values() for raw in chunk)
            yield raws
            self._on_read(self.bytes_read, self._bytes_asked)

    def _read(self, manifest: ModelManifest, updates: Sequence[Update], batch: Sequence[int]) -> dict[int, list[bytes]]:
        """By chunk its N encoded deltas."""
        wanted = [(index, row) for index in batch for row, update in enumerate(updates) if update.record.inline is None]
        references = [updates[row].record.chunks[index] for index, row in wanted]
        raws = self._log.update_chunks([(reference.partition, reference.offset) for reference in references])
        found = dict(zip(wanted, raws, strict=True))
        for (index, row), reference in zip(wanted, references, strict=True):
            if sha256(found[index, row]).digest() != reference.sha256:
                participant = updates[row].contribution.participant
                raise ChunkUnavailable(f"chunk {index} of {participant} is not the one that {participant} signed")
        return {
            index: [
                found[index, row] if update.record.inline is None else _inline(update, manifest, index)
                for row, update in enumerate(updates)
            ]
            for index in batch
        }


def _ahead(batches: Sequence[Sequence[int]], read: Callable[[Sequence[int]], T]) -> Iterator[T]:
    """What was read of each batch; while one is worked on, the next is read."""
    with ThreadPoolExecutor(1) as reader:
        pending = [reader.submit(read, batch) for batch in batches[:1]]
        for following in range(1, len(batches) + 1):
            result = pending.pop().result()
            pending += [reader.submit(read, batch) for batch in batches[following : following + 1]]
            yield result


def _length(manifest: ModelManifest, index: int) -> int:
    return chunk_length(index, manifest.num_elements, manifest.chunk_elements)


def _inline(update: Update, manifest: ModelManifest, index: int) -> bytes:
    size, first = update.bytes_per_element, index * manifest.chunk_elements
    return (update.record.inline or b"")[first * size : (first + _length(manifest, index)) * size]


def decoded(update: Update, raw: bytes, manifest: ModelManifest, index: int) -> Float32:
    """float32[n] of a chunk."""
    codec = encoding.get(update.record.encoding)
    return codec.decode_chunk(raw, index * manifest.chunk_elements, manifest.layout, update.record.scales)
