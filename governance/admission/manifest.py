"""Step 10, manifest: what the signed envelope says of its tensors fits the round. Nothing of the tensors is read.

The list of chunks must cover the model exactly once: no gap, no overlap, no chunk in a foreign partition (its shard
would never read it), none used twice.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fluvial import encoding
from fluvial.encoding.int8 import largest_scale
from fluvial.encoding.partial_sum import MAX_WEIGHT, PartialSumDecoding, scale_of
from fluvial.wire.layout import chunk_length, chunk_partition, num_chunks
from fluvial.wire.records import ChunkReference, ModelUpdate, Reason, Round
from fluvial.wire.terms import terms_of
from governance.admission.judgement import Fault, GatePolicy
from governance.admission.payload import DIGEST_BYTES


def check_manifest(update: ModelUpdate, round_: Round, policy: GatePolicy) -> Fault | None:
    """MANIFEST_MISMATCH, WEIGHT, ENCODING, MAGNITUDE_EXCEEDED (scales) or SIZE_LIMIT (inline) where it does not fit."""
    if update.layout_digest != round_.layout_digest:
        return Fault(reason=Reason.MANIFEST_MISMATCH)
    if not terms_of(round_).participation.min_examples <= update.weight <= round_.max_weight:
        return Fault(reason=Reason.WEIGHT)
    fault = _check_encoding(update, round_)
    if fault is not None:
        return fault
    bytes_per_element = encoding.get(update.encoding).bytes_per_element
    if update.inline is None:
        covers = _covers(update.chunks, update.task, round_, bytes_per_element, policy.partitions)
        return None if covers else Fault(reason=Reason.MANIFEST_MISMATCH)
    if len(update.inline) > policy.max_inline_bytes:
        return Fault(reason=Reason.SIZE_LIMIT)
    single = num_chunks(round_.num_elements, round_.chunk_elements) == 1 and not update.chunks
    exact = len(update.inline) == round_.num_elements * bytes_per_element
    return None if single and exact else Fault(reason=Reason.MANIFEST_MISMATCH)


def _check_encoding(update: ModelUpdate, round_: Round) -> Fault | None:
    if update.encoding not in round_.encodings or update.encoding not in encoding.DECODINGS:
        return Fault(reason=Reason.ENCODING)
    if len(update.scales) != encoding.get(update.encoding).num_scales(round_.layout):
        return Fault(reason=Reason.ENCODING)
    if update.encoding == PartialSumDecoding.name:
        # The one scale is what weight and fraction bits make it: nothing is left to the region.
        if update.weight >= MAX_WEIGHT:
            return Fault(reason=Reason.WEIGHT)
        exact = update.scales == (scale_of(update.weight, round_.fraction_bits),)
        return None if exact else Fault(reason=Reason.ENCODING)
    return _check_scales(update.scales, round_.max_abs) if update.scales else None


def _check_scales(scales: Sequence[float], max_abs: float) -> Fault | None:
    """A scale is a float32, not negative, and no larger than the encoding makes it of values within max_abs. A larger
    scale with small codes would pass the content's checks and overflow the exact sum.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        values = np.array(scales, np.float64)
        exact = values.astype(np.float32).astype(np.float64) == values
    if not (np.isfinite(values).all() and exact.all() and (values >= 0.0).all()):
        return Fault(reason=Reason.ENCODING)
    return Fault(reason=Reason.MAGNITUDE_EXCEEDED) if (values > largest_scale(max_abs)).any() else None


def _covers(
    chunks: Sequence[ChunkReference], task: str, round_: Round, bytes_per_element: int, partitions: int
) -> bool:
    count = num_chunks(round_.num_elements, round_.chunk_elements)
    if len(chunks) != count:
        return False
    first_partition = chunk_partition(task, 0, partitions)
    last_length = chunk_length(count - 1, round_.num_elements, round_.chunk_elements) * bytes_per_element
    length = round_.chunk_elements * bytes_per_element
    positions = set()
    for index, chunk in enumerate(chunks):
        expected = length if index < count - 1 else last_length
        if chunk.length != expected or chunk.partition != (first_partition + index) % partitions:
            return False
        if chunk.offset < 0 or len(chunk.sha256) != DIGEST_BYTES:
            return False
        positions.add((chunk.partition, chunk.offset))
    return len(positions) == count
