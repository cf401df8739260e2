"""First pass over the updates of rules that compare them: Gram matrices or squared norms, by chunk.

Shapes: N updates, in the order of their digests.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fluvial.wire.records import AcceptedUpdate, Round
from models.aggregation.gram import partial_gram, partial_norm
from models.aggregation.plan import Measure
from pipelines.aggregation.shards.chunk_source import ChunkSource, Float32, place_in_log
from pipelines.aggregation.shards.slices import Pace, Work
from pipelines.aggregation.shards.tensor_memory import TensorMemory

Measurements = dict[int, npt.NDArray[np.float64]]
"""By chunk: the Gram matrix float64[N, N], or its diagonal float64[N]."""


def measure(
    source: ChunkSource,
    round_: Round,
    updates: Sequence[AcceptedUpdate],
    what: Measure,
    memory: TensorMemory,
    pace: Pace,
) -> Work[Measurements]:
    """What the rule asks for, of every chunk of the shard."""
    if what is Measure.GRAM:
        return _grams(source, round_, updates, memory, pace)
    return _norms(source, round_, updates, pace)


def _norms(source: ChunkSource, round_: Round, updates: Sequence[AcceptedUpdate], pace: Pace) -> Work[Measurements]:
    chunks = source.chunks_of(round_)
    norms = {index: np.zeros(len(updates), np.float64) for index in chunks}
    for row, index in _forward(updates, chunks):
        delta = source.delta(round_, updates[row], index)
        norms[index][row] = partial_norm(delta)
        if pace.is_over(delta.nbytes):
            yield
    return norms


def _grams(
    source: ChunkSource, round_: Round, updates: Sequence[AcceptedUpdate], memory: TensorMemory, pace: Pace
) -> Work[Measurements]:
    grams: Measurements = {}
    for band in memory.bands(source.chunks_of(round_), 4 * round_.chunk_elements * len(updates)):
        rows = yield from read_rows(source, round_, updates, band, pace)
        for index in band:
            grams[index] = partial_gram(rows.pop(index))
            if pace.is_over(4 * round_.chunk_elements * len(updates)):
                yield
    return grams


def read_rows(
    source: ChunkSource, round_: Round, updates: Sequence[AcceptedUpdate], band: Sequence[int], pace: Pace
) -> Work[dict[int, list[Float32]]]:
    """By chunk of the band the N deltas, read forward. They take 4 * N bytes for each element."""
    rows: dict[int, dict[int, Float32]] = {index: {} for index in band}
    for row, index in _forward(updates, band):
        rows[index][row] = source.delta(round_, updates[row], index)
        if pace.is_over(rows[index][row].nbytes):
            yield
    return {index: [deltas[row] for row in range(len(updates))] for index, deltas in rows.items()}


def _forward(updates: Sequence[AcceptedUpdate], chunks: Sequence[int]) -> list[tuple[int, int]]:
    """(row, chunk) of every chunk of every update, in the order of the log."""
    work = [(row, index) for index in chunks for row in range(len(updates))]
    return sorted(work, key=lambda item: place_in_log(updates[item[0]], item[1]))
