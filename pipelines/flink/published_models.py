"""Reads published models from their chunks, for the stages that measure, accelerate and serve them."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from fluvial.wire.errors import ChunkUnavailable
from fluvial.wire.records import ChunkReference, ModelManifest
from pipelines.flink.blobs import BlobReader


def read_model(reader: BlobReader, manifest: ModelManifest) -> NDArray[np.float32]:
    """The flattened model, float32[num_elements]; every chunk's digest is checked. Raises ChunkUnavailable,
    TimeoutError."""
    return np.frombuffer(read_chunks(reader, manifest.chunks), dtype="<f4")


def read_chunks(reader: BlobReader, references: Sequence[ChunkReference]) -> bytes:
    """The bytes that these chunks are, one after the other; every digest is checked. Raises as `read_model`."""
    parts: list[bytes] = [b""] * len(references)
    for index, chunk in reader.chunks(references):
        if sha256(chunk).digest() != references[index].sha256:
            raise ChunkUnavailable(f"chunk {index} is not the one that was published")
        parts[index] = chunk
    return b"".join(parts)
