"""Published models, for the stages that measure, accelerate and serve them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray
from pyflink.datastream import FlatMapFunction

from fluvial.identity.envelope import check_kind, open_envelope, verify_envelope
from fluvial.wire.errors import ChunkUnavailable, FluvialError
from fluvial.wire.foreign_text import logger
from fluvial.wire.framing import decode
from fluvial.wire.records import ChunkReference, ModelManifest
from fluvial.wire.tally import Tally
from pipelines.config import Settings
from pipelines.flink.blobs import BlobReader
from pipelines.flink.frames import SourceRecord, parse_source
from pipelines.flink.messages import pack

_log = logger(__name__)


class ManifestToMessage(FlatMapFunction):
    """Manifests of topic models, signed by the aggregator, or by the operator for an initial model."""

    def __init__(self, settings: Settings) -> None:
        self._keys = [bytes.fromhex(settings.aggregator_key), bytes.fromhex(settings.operator_key)]
        self._scope = settings.topics.scope
        self._skipped = Tally(_log)

    def flat_map(self, value: bytes) -> Iterator[bytes]:
        return self.of(parse_source(bytes(value)))

    def of(self, record: SourceRecord) -> Iterator[bytes]:
        """The message of a record; none of what nobody signed who may, which is counted."""
        try:
            envelope = open_envelope(record.value)
            check_kind(envelope, ModelManifest, self._scope)
            if not any(verify_envelope(envelope, key) for key in self._keys):
                raise FluvialError("signed by nobody who may")
            manifest = decode(envelope.payload, ModelManifest)
        except FluvialError as error:
            self._skipped.add(f"models/{record.partition}@{record.offset}", str(error))
            return
        yield pack(manifest.task, "manifest", [envelope.payload])


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
