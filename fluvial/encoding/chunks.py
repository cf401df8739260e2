"""Cutting bytes in chunks of equal size; the last may be shorter."""

from __future__ import annotations

from collections.abc import Iterator


def split(data: bytes | memoryview, chunk_bytes: int) -> Iterator[memoryview]:
    """Views of the chunks, in order; nothing is copied. Raises ValueError for chunks below one byte."""
    if chunk_bytes < 1:
        raise ValueError(f"chunks of {chunk_bytes} bytes")
    view = memoryview(data)
    for start in range(0, len(view), chunk_bytes):
        yield view[start : start + chunk_bytes]
