"""Tensor work of one shard, for any task: sums as updates arrive, measurements, chunks of the new model.

What has been accumulated is a cache: `combine` names every update again, so a restarted shard reads what it lacks and
arrives at the same integers. All work is cut in `slices` and keeps within its memory (`tensor_memory`); an exception
fails the job, and with it what was half done. Readers and writers are handed in.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from fluvial.wire.errors import ChunkUnavailable
from fluvial.wire.records import AcceptedUpdate, ChunkReference, ModelUpdate, Round
from models.aggregation.plan import Plan
from models.aggregation.rule import parse_rule
from models.aggregation.staleness import parse_staleness
from pipelines.aggregation.shards import measuring
from pipelines.aggregation.shards.chunk_source import ChunkSource, place_in_log
from pipelines.aggregation.shards.combining import Combining
from pipelines.aggregation.shards.measuring import Measurements
from pipelines.aggregation.shards.model_chunks import ChunkWriter, ModelChunks
from pipelines.aggregation.shards.slices import Pace, Work
from pipelines.aggregation.shards.sums import Addend, ExactSums
from pipelines.aggregation.shards.tensor_memory import TensorMemory

SLICE_BYTES = 64 << 20


class Shard:
    """One shard. sums: what is accumulated here and elsewhere in the process. memory: for work in progress."""

    def __init__(
        self, source: ChunkSource, sums: ExactSums, memory: TensorMemory, *, slice_bytes: int = SLICE_BYTES
    ) -> None:
        self._source, self._sums, self._memory, self._slice_bytes = source, sums, memory, slice_bytes
        self._open: dict[str, tuple[Round, list[Addend]]] = {}

    def begin(self, round_: Round) -> None:
        """A round of a linear rule is open: updates may be accumulated as they arrive. What the task had before is
        forgotten."""
        self._open[round_.task] = round_, []

    def add(self, task: str, number: int, attempt: int, update: AcceptedUpdate) -> None:
        """Note an update of a round that has begun here, for `accumulate`; otherwise `combine` will read it."""
        round_, pending = self._open.get(task, (None, []))
        if round_ is None or (round_.round, round_.attempt) != (number, attempt):
            return
        with suppress(ValueError):
            pending.append(addend_of(round_, update, update.record_sha256))

    def accumulate(self, task: str) -> Work[None]:
        """Read what was noted, in one pass over the partition, as far as the sums have room for it."""
        if task not in self._open:
            return
        round_, pending = self._open[task]
        addends = list(pending)
        pending.clear()
        work = [(index, addend) for index in self._source.chunks_of(round_) for addend in addends]
        pace = Pace(self._slice_bytes)
        for index, addend in sorted(work, key=lambda item: place_in_log(item[1].update, item[0])):
            if not self._sums.accepts(round_, index, addend.record_sha256):
                continue
            # What cannot be read or added fails where it counts: when the round is combined.
            with suppress(ChunkUnavailable, ValueError):
                raw = self._source.raw(round_, addend.update, index)
                self._sums.add(round_, index, addend, raw)
                if pace.is_over(len(raw)):
                    yield

    def measure(self, round_: Round, updates: Sequence[AcceptedUpdate]) -> Work[Measurements]:
        """What the round's rule asks for, by chunk, of the N updates in the order given."""
        what = parse_rule(round_.rule).measure
        pace = Pace(self._slice_bytes)
        return measuring.measure(self._source, round_, updates, what, self._memory, pace)

    def combine(
        self, round_: Round, updates: Sequence[AcceptedUpdate], plan: Plan, writer: ChunkWriter
    ) -> Work[dict[int, ChunkReference]]:
        """Write this shard's chunks of the new model, and of the optimizer's moments: what the plan makes of exactly
        these updates.

        Raises ChunkUnavailable when an accepted chunk can no longer be read, ValueError for one that does not fit.
        """
        self._open.pop(round_.task, None)
        return Combining(
            source=self._source,
            round=round_,
            updates=updates,
            plan=plan,
            sums=self._sums,
            memory=self._memory,
            pace=Pace(self._slice_bytes),
            result=ModelChunks(self._source, round_, writer),
        ).run()


def addend_of(round_: Round, update: AcceptedUpdate | ModelUpdate, record_sha256: bytes) -> Addend:
    """An update as a linear rule takes it in, whatever else arrives. Raises ValueError for another rule."""
    factor = parse_staleness(round_.staleness).factor(round_.round - update.round)
    coefficient = parse_rule(round_.rule).coefficient(update.weight) * factor
    return Addend(record_sha256=record_sha256, update=update, coefficient=coefficient)
