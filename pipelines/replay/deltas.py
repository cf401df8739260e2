"""The encoded deltas of a version's updates, read from the log, checked and handed on chunk by chunk.

Shapes: N updates, n elements of one chunk.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from hashlib import sha256

import numpy as np
import numpy.typing as npt

from fluvial import encoding
from fluvial.encoding import Span
from fluvial.wire.errors import ChunkUnavailable
from fluvial.wire.records import ModelManifest
from pipelines.replay.evidence import Position, ReplayLog, Update

Float32 = npt.NDArray[np.float32]

TakeChunk = Callable[[int, int, bytes], None]
"""Takes (chunk, row of its update, bytes). Called from several threads, for one chunk by one at a time."""


class Deltas:
    """Reads deltas; says how far it has come. on_read(bytes read, bytes asked for)."""

    def __init__(self, log: ReplayLog, on_read: Callable[[int, int], None]) -> None:
        self._log, self._on_read = log, on_read
        self._lock = threading.Lock()
        self.bytes_read = self.bytes_asked = 0

    def announce(self, updates: Sequence[Update], indices: Sequence[int]) -> None:
        """So much will be asked for: progress has an end from the start."""
        self.bytes_asked += sum(update.num_bytes(index) for index in indices for update in updates)

    def each(self, updates: Sequence[Update], indices: Sequence[int], take: TakeChunk) -> None:
        """Give every update's chunks of these indices to `take`, as they are read.

        Raises ChunkUnavailable if one is gone or is not the one that was signed, and what `take` raises.
        """
        wanted: defaultdict[Position, list[tuple[int, int]]] = defaultdict(list)
        for index in indices:
            for row, update in enumerate(updates):
                if update.record.inline is not None:
                    self._hand_over(take, index, row, update.record.inline)
                else:
                    reference = update.record.chunks[index]
                    wanted[reference.partition, reference.offset].append((index, row))
        locks = {index: threading.Lock() for index in indices}

        def taken(position: Position, raw: bytes) -> None:
            digest = sha256(raw).digest()
            for index, row in wanted[position]:
                participant = updates[row].contribution.participant
                if digest != updates[row].record.chunks[index].sha256:
                    raise ChunkUnavailable(f"chunk {index} of {participant} is not the one that {participant} signed")
                with locks[index]:
                    self._hand_over(take, index, row, raw)

        if wanted:
            self._log.each_update_chunk(wanted.keys(), taken)

    def _hand_over(self, take: TakeChunk, index: int, row: int, raw: bytes) -> None:
        take(index, row, raw)
        with self._lock:
            self.bytes_read += len(raw)
            self._on_read(self.bytes_read, self.bytes_asked)


def decoded(update: Update, raw: bytes, manifest: ModelManifest, index: int) -> Float32:
    """float32[n] of a chunk."""
    return encoding.get(update.record.encoding).decode(raw, Span.of(manifest, index), update.record.scales)
