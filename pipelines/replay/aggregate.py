"""The arithmetic of a round, from its updates in the log: plan, combinations, the step to the next model.

Written for reading forward with several threads and bounded memory, and for comparing with what the jobs published;
it shares the mathematics (`models/aggregation`) with them and nothing else. Shapes: N updates, n elements of a chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from fluvial.encoding import Span
from fluvial.wire.layout import chunk_length
from fluvial.wire.records import ModelManifest
from models.aggregation.coefficients import Term
from models.aggregation.combination import combine_chunk, mean_of, next_chunk
from models.aggregation.contribution import add_chunk
from models.aggregation.fixed_point import ChunkSum
from models.aggregation.gram import partial_gram, partial_norm, total_gram
from models.aggregation.plan import Measure, Plan, RoundUpdates
from models.aggregation.rule import parse_rule
from models.aggregation.server_optimizer import parse_server_optimizer
from models.aggregation.staleness import aged, parse_staleness
from pipelines.replay.deltas import Deltas, Float32, decoded
from pipelines.replay.evidence import Update

State = tuple[Float32, ...]
"""A chunk of a model, and after it the same chunk of each of the optimizer's moments."""
Bases = Callable[[Sequence[int]], Mapping[int, State]]
"""The state that the round began with, of these chunks."""


class Aggregate:
    """What a version's round makes of some updates."""

    def __init__(self, manifest: ModelManifest, updates: Sequence[Update], deltas: Deltas, memory_bytes: int) -> None:
        self._manifest, self._updates, self._deltas, self._memory = manifest, updates, deltas, memory_bytes

    def plan(self) -> Plan:
        """What the rule decides. Raises ValueError if it cannot, ChunkUnavailable."""
        manifest, updates = self._manifest, self._updates
        rule = parse_rule(manifest.rule)
        given = RoundUpdates(
            participants=tuple(update.contribution.participant for update in updates),
            weights=tuple(update.record.weight for update in updates),
        )
        lags = tuple(manifest.round - update.record.round for update in updates)
        return aged(rule.plan(given, self._measured(rule.measure)), lags, parse_staleness(manifest.staleness))

    def sums(self, plan: Plan, indices: Sequence[int]) -> Iterator[tuple[int, npt.NDArray[np.int64]]]:
        """(chunk, exact sum int64[n]), in order, of a plan of one combination."""
        taken, plan = self._taken(plan)
        self._deltas.announce(taken, indices)
        for band in self._bands(indices, 8 * self._manifest.chunk_elements):
            totals = {index: ChunkSum(self._length(index), self._manifest.fraction_bits) for index in band}
            self._deltas.each(taken, band, self._adder(taken, plan.terms[0], totals))
            for index in band:
                yield index, totals.pop(index).values

    def deltas(self, plan: Plan, indices: Sequence[int]) -> Iterator[tuple[int, npt.NDArray[np.float64]]]:
        """(chunk, aggregate delta float64[n]), in order."""
        if plan.reduction is None:
            for index, total in self.sums(plan, indices):
                yield index, mean_of(total, plan.divisor, self._manifest.fraction_bits)
            return
        taken, plan = self._taken(plan)
        for index, deltas in self._rows(taken, indices):
            yield index, combine_chunk(deltas, plan, self._manifest.fraction_bits)

    def states(self, plan: Plan, indices: Sequence[int], bases: Bases) -> Iterator[tuple[int, State]]:
        """(chunk, the state after the round), in order."""
        optimizer = parse_server_optimizer(self._manifest.server_optimizer)
        waiting: Mapping[int, State] = {}
        ahead = self._bands(indices, 4 * self._manifest.chunk_elements)
        for index, delta in self.deltas(plan, indices):
            if index not in waiting:
                waiting = dict(bases(next(ahead)))
            base, *moments = waiting[index]
            if optimizer is None:
                yield index, (next_chunk(base, delta),)
            else:
                model, after = optimizer.step(base, delta, tuple(moments) or optimizer.initial_moments(base.size))
                yield index, (model, *after)

    def _measured(self, measure: Measure) -> npt.NDArray[np.float64] | None:
        """The Gram matrix float64[N, N], or its diagonal alone, or nothing."""
        every = range(len(self._manifest.chunks))
        if measure is Measure.GRAM:
            return total_gram(partial_gram(rows) for _, rows in self._rows(self._updates, every))
        if measure is Measure.NORMS:
            norms = {index: np.zeros(len(self._updates)) for index in every}

            def take(index: int, row: int, raw: bytes) -> None:
                norms[index][row] = partial_norm(decoded(self._updates[row], raw, self._manifest, index))

            self._deltas.announce(self._updates, every)
            self._deltas.each(self._updates, every, take)
            return np.diag(total_gram(norms[index] for index in every))
        return None

    def _rows(self, updates: Sequence[Update], indices: Sequence[int]) -> Iterator[tuple[int, list[Float32]]]:
        """(chunk, its N deltas float32[n]), in order."""
        self._deltas.announce(updates, indices)
        for band in self._bands(indices, 4 * self._manifest.chunk_elements * max(1, len(updates))):
            rows: dict[int, dict[int, Float32]] = {index: {} for index in band}

            def take(index: int, row: int, raw: bytes, rows: dict[int, dict[int, Float32]] = rows) -> None:
                rows[index][row] = decoded(updates[row], raw, self._manifest, index)

            self._deltas.each(updates, band, take)
            for index in band:
                deltas = rows.pop(index)
                yield index, [deltas[row] for row in range(len(updates))]

    def _taken(self, plan: Plan) -> tuple[list[Update], Plan]:
        """The updates that the plan takes in, and the plan of these."""
        columns = [column for column, weight in enumerate(plan.effective_weights) if weight]
        return [self._updates[column] for column in columns], plan.of_columns(columns)

    def _adder(
        self, updates: Sequence[Update], terms: Sequence[Term], totals: Mapping[int, ChunkSum]
    ) -> Callable[[int, int, bytes], None]:
        def take(index: int, row: int, raw: bytes) -> None:
            add_chunk(
                totals[index],
                raw,
                encoding=updates[row].record.encoding,
                span=Span.of(self._manifest, index),
                scales=updates[row].record.scales,
                weight=terms[row][0],
                shift=terms[row][1],
            )

        return take

    def _bands(self, indices: Sequence[int], bytes_per_chunk: int) -> Iterator[Sequence[int]]:
        size = max(1, self._memory // bytes_per_chunk)
        return (indices[first : first + size] for first in range(0, len(indices), size))

    def _length(self, index: int) -> int:
        return chunk_length(index, self._manifest.num_elements, self._manifest.chunk_elements)
