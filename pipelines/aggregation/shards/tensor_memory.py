"""Bands: so many consecutive chunks at a time that what is kept of them stays within a budget of memory.

Participants that upload one after the other leave their updates far apart in the log. Working chunk by chunk across
updates would then go back to each update for each chunk; a band goes back once, and reads a stretch of every update.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class TensorMemory:
    """Bytes that the tensors of one subtask may take, shared by all work in progress there.

    Work takes at most half of what is free, so that there is always something left for the next; one chunk is always
    granted, because without it nothing would ever be done. The size of a band never changes a result.
    """

    def __init__(self, num_bytes: int) -> None:
        self._free = num_bytes

    @contextmanager
    def band(self, chunks: Sequence[int], bytes_per_chunk: int) -> Iterator[Sequence[int]]:
        """As many of the first chunks as there is memory for, at least one; the memory is taken inside the context."""
        size = max(1, self._free // 2 // max(1, bytes_per_chunk))
        granted = chunks[:size]
        taken = len(granted) * bytes_per_chunk
        self._free -= taken
        try:
            yield granted
        finally:
            self._free += taken

    def bands(self, chunks: Sequence[int], bytes_per_chunk: int) -> Iterator[Sequence[int]]:
        """All chunks, in bands; each one's memory is taken until the next is asked for."""
        while chunks:
            with self.band(chunks, bytes_per_chunk) as band:
                yield band
            chunks = chunks[len(band) :]
