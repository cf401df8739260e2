"""Bytes that a region moves: base models from its parent's log to its own, sums from its own log into memory.

Every chunk is checked by its digest before anything else happens to it.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from itertools import accumulate

from fluvial.edge.upload import WINDOW_BYTES
from fluvial.encoding.partial_sum import PartialSumDecoding
from fluvial.identity.federation import Federation
from fluvial.kafka import Place, Position, Transport, TransportUnavailable
from fluvial.wire.errors import VerificationError
from fluvial.wire.layout import chunk_partition, model_digest
from fluvial.wire.records import ChunkReference, ModelManifest, Round

_SECONDS = 150.0  # beyond the clients' own delivery timeout, which normally speaks first


def copy_base(
    parent_transport: Transport,
    parent: Federation,
    round_: Round,
    transport: Transport,
    federation: Federation,
    task: str,
) -> tuple[ChunkReference, ...]:
    """Where the base model of the parent's round lies below: its chunks, copied to the region's topic model-blobs.

    A copy is keyed by task, chunk and slot, so that one made twice is compacted away. Raises VerificationError for
    bytes that are not those signed, ChunkUnavailable and TransportUnavailable.
    """
    references = round_.base_chunks
    if model_digest(chunk.sha256 for chunk in references) != round_.base_digest:
        raise VerificationError("the chunk digests of the parent's round do not make up its model's digest")
    slot = round_.base_version % round_.kept_versions
    sent: dict[int, Future[Position]] = {}
    window: deque[tuple[Future[Position], int]] = deque()

    def take(index: int, chunk: bytes) -> None:
        while window and sum(length for _, length in window) + len(chunk) > WINDOW_BYTES:
            _wait(window.popleft()[0])
        key = f"{task}/base/{index}/{slot}".encode()
        partition = chunk_partition(task, index, federation.partitions)
        sent[index] = transport.produce(federation.topics.model_blobs, chunk, key=key, partition=partition)
        window.append((sent[index], len(chunk)))

    _fetch(parent_transport, parent.topics.model_blobs, references, take)
    places = {index: _wait(future) for index, future in sent.items()}
    return tuple(
        ChunkReference(
            partition=places[index].partition, offset=places[index].offset, length=chunk.length, sha256=chunk.sha256
        )
        for index, chunk in enumerate(references)
    )


def read_sum(transport: Transport, federation: Federation, manifest: ModelManifest) -> memoryview:
    """The integers of a region's sum, as they are encoded. Takes their size in memory.

    Raises VerificationError for chunks that are not those of the manifest, ChunkUnavailable, TransportUnavailable.
    """
    if model_digest(chunk.sha256 for chunk in manifest.chunks) != manifest.model_digest:
        raise VerificationError("the chunk digests of the sum do not make up its digest")
    length, _ = PartialSumDecoding().length_bounds(manifest.num_elements)
    if sum(chunk.length for chunk in manifest.chunks) != length:
        raise VerificationError("the chunks of the sum do not make up the model's elements")
    lengths = [chunk.length for chunk in manifest.chunks]
    starts = list(accumulate(lengths, initial=0))
    encoded = bytearray(starts[-1])

    def take(index: int, chunk: bytes) -> None:
        encoded[starts[index] : starts[index + 1]] = chunk

    _fetch(transport, federation.topics.model_blobs, manifest.chunks, take)
    return memoryview(encoded)


def _fetch(
    transport: Transport, topic: str, references: Sequence[ChunkReference], take: Callable[[int, bytes], None]
) -> None:
    """Hand over every chunk with its index, in the order of the log."""
    indices: dict[Place, list[int]] = {}
    for index, chunk in enumerate(references):
        indices.setdefault((chunk.partition, chunk.offset), []).append(index)

    def check(place: Place, value: bytes) -> None:
        digest = hashlib.sha256(value).digest()
        for index in indices[place]:
            if len(value) != references[index].length or digest != references[index].sha256:
                raise VerificationError(f"chunk at partition {place[0]}, offset {place[1]} has other bytes")
            take(index, value)

    transport.fetch_each(topic, indices, check)


def _wait(sent: Future[Position]) -> Position:
    try:
        return sent.result(_SECONDS)
    except TimeoutError as error:
        raise TransportUnavailable(f"no acknowledgement of a chunk in {_SECONDS:.0f} s") from error
