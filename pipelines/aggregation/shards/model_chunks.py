"""Chunks of a new model: the base and the aggregate, put together by the task's server optimizer, and written.

Chunks are numbered as the keeper counts them: those of the model, then for each of the optimizer's moments its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import numpy as np
import numpy.typing as npt

from fluvial.wire.layout import num_chunks
from fluvial.wire.records import ChunkReference, Round
from models.aggregation.combination import mean_of, next_chunk
from models.aggregation.fixed_point import finish
from models.aggregation.server_optimizer import parse_server_optimizer
from pipelines.aggregation.shards.chunk_source import ChunkSource, Float32


class ChunkWriter(Protocol):
    """Writes chunks; nothing counts before `flush`, which gives the places of what was sent since the last one."""

    def send(self, index: int, partition: int, key: bytes, chunk: bytes) -> None: ...
    def flush(self) -> dict[int, tuple[int, int]]: ...


class ModelChunks:
    """One shard's chunks of one round's result, in the making."""

    def __init__(self, source: ChunkSource, round_: Round, writer: ChunkWriter) -> None:
        self._source, self._round, self._writer = source, round_, writer
        self._optimizer = parse_server_optimizer(round_.server_optimizer)
        self._num_chunks = num_chunks(round_.num_elements, round_.chunk_elements)
        self._sent: dict[int, tuple[int, bytes]] = {}
        self._written: dict[int, ChunkReference] = {}

    def add_sum(self, index: int, total: npt.NDArray[np.int64], divisor: int) -> None:
        """Chunk `index` from its exact sum, int64[n]: base plus total / divisor; of a partial round the sum itself.

        Raises ValueError for a model that float32 does not hold.
        """
        round_ = self._round
        if round_.partial:
            self._send(index, total.astype("<i8", copy=False).tobytes())
        elif self._optimizer is None:
            base = self._source.model_chunk(round_.base_chunks[index])
            with _held_by_float32():
                model = finish(base, total, divisor, round_.fraction_bits)
            self._send(index, _bytes(model))
        else:
            self.add_delta(index, mean_of(total, divisor, round_.fraction_bits))

    def add_delta(self, index: int, delta: npt.NDArray[np.float64]) -> None:
        """Chunk `index` from the aggregate, float64[n]. Raises ValueError in a partial round, which takes sums, and for
        a model or moments that float32 does not hold."""
        if self._round.partial:
            raise ValueError("the partial sum of a region needs a linear rule")
        base = self._source.model_chunk(self._round.base_chunks[index])
        moments: tuple[Float32, ...] = ()
        with _held_by_float32():
            if self._optimizer is None:
                model = next_chunk(base, delta)
            else:
                model, moments = self._optimizer.step(base, delta, tuple(self._moments(index, base.size)))
        for number, chunk in enumerate((model, *moments)):
            self._send(number * self._num_chunks + index, _bytes(chunk))

    def flush(self) -> None:
        """Wait until what was written is durable. Others may use the writer then."""
        places = self._writer.flush()
        for index, (length, digest) in self._sent.items():
            partition, offset = places[index]
            self._written[index] = ChunkReference(partition=partition, offset=offset, length=length, sha256=digest)
        self._sent.clear()

    def discard(self) -> None:
        """Give the result up: nothing of it is left with the writer, which others use."""
        self._writer.flush()
        self._sent.clear()

    def finished(self) -> dict[int, ChunkReference]:
        """Where every chunk lies."""
        self.flush()
        return self._written

    def _moments(self, index: int, size: int) -> Iterator[Float32]:
        """The optimizer's moments of the chunk; before the first step their initial values."""
        assert self._optimizer is not None
        for number, initial in enumerate(self._optimizer.initial_moments(size)):
            if self._round.optimizer_chunks:
                yield self._source.model_chunk(self._round.optimizer_chunks[number * self._num_chunks + index])
            else:
                yield initial

    def _send(self, index: int, chunk: bytes) -> None:
        slot = (self._round.base_version + 1) % self._round.kept_versions
        self._writer.send(index, self._source.shard, f"{self._round.task}/{index}/{slot}".encode(), chunk)
        self._sent[index] = len(chunk), hashlib.sha256(chunk).digest()


@contextmanager
def _held_by_float32() -> Iterator[None]:
    """Raises ValueError where a result overflows: a model with an infinite element would be every later round's base,
    and nobody could train on it again."""
    try:
        with np.errstate(over="raise", invalid="raise"):
            yield
    except FloatingPointError as error:
        raise ValueError(
            "the new model, or what the server optimizer remembers, is beyond the largest float32: a smaller "
            f"learning rate of the server optimizer, or limits.max_abs, may help ({error})"
        ) from error


def _bytes(values: Float32) -> bytes:
    return values.astype("<f4", copy=False).tobytes()
