"""Last pass over the updates: what a plan makes of them, band by band, as chunks of the new model.

A plan of one combination is an exact sum, to which much may have been added already as updates arrived; what is
missing is read, what should not be in it is taken back. A plan that reduces coordinate by coordinate needs all updates
of a chunk at once. Neither the order of reading nor the size of a band leaves a trace in the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fluvial.wire.errors import ChunkUnavailable
from fluvial.wire.records import AcceptedUpdate, ChunkReference, Round
from models.aggregation.combination import combine_chunk
from models.aggregation.fixed_point import ChunkSum
from models.aggregation.plan import Plan
from pipelines.aggregation.shards.chunk_source import ChunkSource, place_in_log
from pipelines.aggregation.shards.measuring import read_rows
from pipelines.aggregation.shards.model_chunks import ModelChunks
from pipelines.aggregation.shards.slices import Pace, Work
from pipelines.aggregation.shards.sums import Addend, ExactSums, add_to, zero_sum
from pipelines.aggregation.shards.tensor_memory import TensorMemory

_Change = tuple[int, Addend, int]
"""Index of a chunk, and what its sum lacks, with which coefficient."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Combining:
    """One shard's combination of one round. updates: N; plan: of exactly these. sums: what may have been added as they
    came. result: where the chunks go."""

    source: ChunkSource
    round: Round
    updates: Sequence[AcceptedUpdate]
    plan: Plan
    sums: ExactSums
    memory: TensorMemory
    pace: Pace
    result: ModelChunks

    def run(self) -> Work[dict[int, ChunkReference]]:
        """Write the shard's chunks of what the plan makes of the updates; where they lie, by index.

        Raises ChunkUnavailable when an accepted chunk can no longer be read, ValueError for one that does not fit.
        """
        try:
            yield from self._add_up() if self.plan.reduction is None else self._reduce()
        except Exception:
            self.result.discard()
            raise
        return self.result.finished()

    def _reduce(self) -> Work[None]:
        per_chunk = 4 * self.round.chunk_elements * len(self.updates)
        for band in self.memory.bands(self.source.chunks_of(self.round), per_chunk):
            rows = yield from read_rows(self.source, self.round, self.updates, band, self.pace)
            for index in band:
                deltas = rows.pop(index)
                self.result.add_delta(index, combine_chunk(deltas, self.plan, self.round.fraction_bits))
                if self.pace.is_over(sum(delta.nbytes for delta in deltas)):
                    self.result.flush()
                    yield
            # The next band is read with pauses, in which others write.
            self.result.flush()

    def _add_up(self) -> Work[None]:
        wanted = [
            Addend(record_sha256=update.record_sha256, update=update, coefficient=coefficient, shift=shift)
            for update, (coefficient, shift) in zip(self.updates, self.plan.terms[0], strict=True)
        ]
        for band in self.memory.bands(self.source.chunks_of(self.round), 8 * self.round.chunk_elements):
            totals = yield from self._settle(band, wanted)
            for index in band:
                total = totals.pop(index).values
                self.result.add_sum(index, total, self.plan.divisor)
                if self.pace.is_over(4 * total.size):
                    self.result.flush()
                    yield
            # The next band is read with pauses, in which others write.
            self.result.flush()

    def _settle(self, band: Sequence[int], wanted: Sequence[Addend]) -> Work[dict[int, ChunkSum]]:
        """The sums of exactly the wanted addends, of the chunks of a band: what was accumulated, and the difference."""
        totals: dict[int, ChunkSum] = {}
        changes: list[_Change] = []
        for index in band:
            totals[index], differing = self.sums.take(self.round, index, wanted)
            changes += [(index, addend, coefficient) for addend, coefficient in differing]
        needed = {addend.record_sha256 for addend in wanted}
        lost = yield from self._add(totals, changes, needed)
        # What had to be taken back is gone from the log: these sums start again.
        for index in lost:
            totals[index] = zero_sum(self.round, index)
        again = [(index, addend, addend.coefficient) for index in lost for addend in wanted]
        yield from self._add(totals, again, needed)
        return totals

    def _add(self, totals: dict[int, ChunkSum], changes: Sequence[_Change], needed: set[bytes]) -> Work[set[int]]:
        """Read and add, forward. The chunks from whose sums something could not be taken back.

        needed: digests of the wanted updates' records. Raises ChunkUnavailable for a chunk of one of them.
        """
        lost: set[int] = set()
        for index, addend, coefficient in sorted(changes, key=lambda change: place_in_log(change[1].update, change[0])):
            try:
                raw = self.source.raw(self.round, addend.update, index)
            except ChunkUnavailable:
                if addend.record_sha256 in needed:
                    raise
                lost.add(index)
                continue
            add_to(totals[index], self.round, index, addend, coefficient, raw)
            if self.pace.is_over(len(raw)):
                yield
        return lost
