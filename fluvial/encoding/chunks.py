"""Cutting an encoded delta in chunks of equal element counts; the last may be shorter."""

from __future__ import annotations

from collections.abc import Iterator


def split(data: bytes | memoryview, chunk_elements: int, bytes_per_element: int) -> Iterator[memoryview]:
    """Views of the chunks, in order; nothing is copied. Raises ValueError for a chunk size below one element."""
    if chunk_elements < 1 or bytes_per_element < 1:
        raise ValueError(f"chunks of {chunk_elements} elements of {bytes_per_element} bytes")
    view, size = memoryview(data), chunk_elements * bytes_per_element
    for start in range(0, len(view), size):
        yield view[start : start + size]
