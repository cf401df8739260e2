"""Last pass over the updates: what a plan makes of them, band by band, as chunks of the new model.

A plan of one combination is an exact sum, to which much may have been added already as updates arrived; what is
missing is read, what should not be in it is taken back. A plan that reduces coordinate by coordinate needs all updates
of a chunk at once. Neither the order of reading nor the size of a band leaves a trace in the result.
"""

from __future__ import annotations

from collections.abc import Sequence

from fluvial.wire.errors import ChunkUnavailable
from fluvial.wire.records import AcceptedUpdate, ChunkReference, Round
from models.aggregation.combination import combine_chunk
from models.aggregation.fixed_point import ChunkSum
from models.aggregation.plan import Plan
from pipelines.aggregation.shards.chunk_source import ChunkSource, place_in_log
from pipelines.aggregation.shards.measuring import read_rows
from pipelines.aggregation.shards.model_chunks import ChunkWriter, ModelChunks
from pipelines.aggregation.shards.slices import Pace, Work
from pipelines.aggregation.shards.sums import Addend, ExactSums, add_to, zero_sum
from pipelines.aggregation.shards.tensor_memory import TensorMemory


def combine(
    source: ChunkSource,
    round_: Round,
    updates: Sequence[AcceptedUpdate],
    plan: Plan,
    sums: ExactSums,
    memory: TensorMemory,
    pace: Pace,
    writer: ChunkWriter,
) -> Work[dict[int, ChunkReference]]:
    """Write the shard's chunks of what the plan makes of these updates; where they lie, by index.

    plan: of exactly these updates. Raises ChunkUnavailable when an accepted chunk can no longer be read.
    """
    result = ModelChunks(source, round_, writer)
    if plan.reduction is None:
        yield from _combine_sums(source, round_, updates, plan, sums, memory, pace, result)
    else:
        yield from _combine_rows(source, round_, updates, plan, memory, pace, result)
    return result.finished()


def _combine_rows(
    source: ChunkSource,
    round_: Round,
    updates: Sequence[AcceptedUpdate],
    plan: Plan,
    memory: TensorMemory,
    pace: Pace,
    result: ModelChunks,
) -> Work[None]:
    for band in memory.bands(source.chunks_of(round_), 4 * round_.chunk_elements * len(updates)):
        rows = yield from read_rows(source, round_, updates, band, pace)
        for index in band:
            deltas = rows.pop(index)
            result.add_delta(index, combine_chunk(deltas, plan, round_.fraction_bits))
            if pace.is_over(sum(delta.nbytes for delta in deltas)):
                result.flush()
                yield
        # The next band is read with pauses, in which others write.
        result.flush()


def _combine_sums(
    source: ChunkSource,
    round_: Round,
    updates: Sequence[AcceptedUpdate],
    plan: Plan,
    sums: ExactSums,
    memory: TensorMemory,
    pace: Pace,
    result: ModelChunks,
) -> Work[None]:
    wanted = [
        Addend(record_sha256=update.record_sha256, update=update, coefficient=coefficient, shift=shift)
        for update, (coefficient, shift) in zip(updates, plan.terms[0], strict=True)
    ]
    for band in memory.bands(source.chunks_of(round_), 8 * round_.chunk_elements):
        totals = yield from _settle(source, round_, band, wanted, sums, pace)
        for index in band:
            total = totals.pop(index).values
            result.add_sum(index, total, plan.divisor)
            if pace.is_over(4 * total.size):
                result.flush()
                yield
        # The next band is read with pauses, in which others write.
        result.flush()


def _settle(
    source: ChunkSource,
    round_: Round,
    band: Sequence[int],
    wanted: Sequence[Addend],
    sums: ExactSums,
    pace: Pace,
) -> Work[dict[int, ChunkSum]]:
    """The sums of exactly the wanted addends, of the chunks of a band: what was accumulated, and the difference."""
    totals: dict[int, ChunkSum] = {}
    changes: list[tuple[int, Addend, int]] = []
    for index in band:
        totals[index], differing = sums.take(round_, index, wanted)
        changes += [(index, addend, coefficient) for addend, coefficient in differing]
    lost = yield from _add(source, round_, totals, changes, wanted, pace)
    # What had to be taken back is gone from the log: these sums start again.
    for index in lost:
        totals[index] = zero_sum(round_, index)
    again = [(index, addend, addend.coefficient) for index in lost for addend in wanted]
    yield from _add(source, round_, totals, again, wanted, pace)
    return totals


def _add(
    source: ChunkSource,
    round_: Round,
    totals: dict[int, ChunkSum],
    changes: Sequence[tuple[int, Addend, int]],
    wanted: Sequence[Addend],
    pace: Pace,
) -> Work[set[int]]:
    """Read and add, forward. The chunks from whose sums something could not be taken back.

    Raises ChunkUnavailable for a chunk of a wanted update.
    """
    lost: set[int] = set()
    needed = {addend.record_sha256 for addend in wanted}
    for index, addend, coefficient in sorted(changes, key=lambda change: place_in_log(change[1].update, change[0])):
        try:
            raw = source.raw(round_, addend.update, index)
        except ChunkUnavailable:
            if addend.record_sha256 in needed:
                raise
            lost.add(index)
            continue
        add_to(totals[index], round_, index, addend, coefficient, raw)
        if pace.is_over(len(raw)):
            yield
    return lost
