"""Step 10, manifest: what the signed envelope says of its tensors fits the round. Nothing of the tensors is read.

The list of chunks must cover the model exactly once: no gap, no overlap, no chunk in a foreign partition (its shard
would never read it), none used twice.
"""

from __future__ import annotations

from collections.abc import Sequence

from fluvial import encoding
from fluvial.admission.judgement import Fault, GatePolicy
from fluvial.admission.payload import DIGEST_BYTES
from fluvial.encoding import Limits, TensorDecoding
from fluvial.wire.layout import chunk_length, chunk_partition, num_chunks
from fluvial.wire.records import ChunkReference, ModelUpdate, Reason, Round
from fluvial.wire.terms import terms_of


def check_manifest(update: ModelUpdate, round_: Round, policy: GatePolicy) -> Fault | None:
    """MANIFEST_MISMATCH, WEIGHT, ENCODING, MAGNITUDE_EXCEEDED (scales) or SIZE_LIMIT (inline) where it does not fit."""
    if update.layout_digest != round_.layout_digest:
        return Fault(reason=Reason.MANIFEST_MISMATCH)
    if not terms_of(round_).participation.min_examples <= update.weight <= round_.max_weight:
        return Fault(reason=Reason.WEIGHT)
    fault = _check_encoding(update, round_)
    if fault is not None:
        return fault
    codec = encoding.get(update.encoding)
    if update.inline is None:
        covers = _covers(update.chunks, update.task, round_, codec, policy.partitions)
        return None if covers else Fault(reason=Reason.MANIFEST_MISMATCH)
    if len(update.inline) > policy.max_inline_bytes:
        return Fault(reason=Reason.SIZE_LIMIT)
    single = num_chunks(round_.num_elements, round_.chunk_elements) == 1 and not update.chunks
    least, most = codec.length_bounds(round_.num_elements)
    return None if single and least <= len(update.inline) <= most else Fault(reason=Reason.MANIFEST_MISMATCH)


def limits_of(update: ModelUpdate, round_: Round) -> Limits:
    """What the round asks of the update's numbers."""
    return Limits(round_.max_abs, round_.max_norm, round_.num_elements, round_.fraction_bits, update.weight)


def _check_encoding(update: ModelUpdate, round_: Round) -> Fault | None:
    if update.encoding not in round_.encodings or update.encoding not in encoding.DECODINGS:
        return Fault(reason=Reason.ENCODING)
    fault = encoding.get(update.encoding).check_scales(update.scales, round_.layout, limits_of(update, round_))
    return None if fault is None else Fault(reason=Reason[fault.name])


def _covers(chunks: Sequence[ChunkReference], task: str, round_: Round, codec: TensorDecoding, partitions: int) -> bool:
    count = num_chunks(round_.num_elements, round_.chunk_elements)
    if len(chunks) != count:
        return False
    first_partition = chunk_partition(task, 0, partitions)
    whole = codec.length_bounds(round_.chunk_elements)
    last = codec.length_bounds(chunk_length(count - 1, round_.num_elements, round_.chunk_elements))
    positions = set()
    for index, chunk in enumerate(chunks):
        least, most = whole if index < count - 1 else last
        if not least <= chunk.length <= most or chunk.partition != (first_partition + index) % partitions:
            return False
        if chunk.offset < 0 or len(chunk.sha256) != DIGEST_BYTES:
            return False
        positions.add((chunk.partition, chunk.offset))
    return len(positions) == count
