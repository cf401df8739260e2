"""Whether an update is of the round's model: layout, encoding, weight, chunks. Nothing is read from the log for it."""

from __future__ import annotations

from itertools import pairwise

from fluvial import encoding
from fluvial.wire.layout import chunk_length, chunk_partition, num_chunks
from fluvial.wire.records import ModelUpdate, Reason, Round

MAX_INLINE_BYTES = 64 << 10
_DIGEST_BYTES = 32


def check_manifest(update: ModelUpdate, round_: Round, partitions: int) -> Reason | None:
    """Reason to refuse, or None."""
    if update.encoding not in round_.encodings or update.encoding not in encoding.ENCODINGS:
        return Reason.ENCODING
    if not 1 <= update.weight <= round_.max_weight:
        return Reason.WEIGHT
    codec = encoding.get(update.encoding)
    scales_fit = len(update.scales) == codec.num_scales(round_.layout) and all(
        0 <= scale < float("inf") for scale in update.scales
    )
    if update.layout_digest != round_.layout_digest or not scales_fit:
        return Reason.MANIFEST_MISMATCH
    size = round_.num_elements * codec.bytes_per_element
    if update.inline is not None:
        fits = not update.chunks and len(update.inline) == size <= MAX_INLINE_BYTES
    else:
        fits = _chunks_fit(update, round_, codec.bytes_per_element, partitions)
    return None if fits else Reason.MANIFEST_MISMATCH


def _chunks_fit(update: ModelUpdate, round_: Round, bytes_per_element: int, partitions: int) -> bool:
    """Every chunk once, of its length, in the partition of its shard, at a place of its own."""
    chunks = update.chunks
    if len(chunks) != num_chunks(round_.num_elements, round_.chunk_elements):
        return False
    for index, chunk in enumerate(chunks):
        length = chunk_length(index, round_.num_elements, round_.chunk_elements) * bytes_per_element
        if chunk.length != length or chunk.offset < 0 or len(chunk.sha256) != _DIGEST_BYTES:
            return False
        if chunk.partition != chunk_partition(update.task, index, partitions):
            return False
    places = sorted((chunk.partition, chunk.offset) for chunk in chunks)
    return all(first != second for first, second in pairwise(places))
