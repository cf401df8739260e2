"""Step 11, content: the tensor bytes themselves, a chunk at a time, in any order.

Memory: one chunk, its decoded elements (none for float32, which is a view) and a tile of float64. The numbers of a
chunk do not depend on when it is read, and the norm adds the chunks in chunk order, so that a repeated judgement gives
the same bits. Shapes: n elements of one chunk.

What lies at a limit is within it, as float32 meets it (`fluvial.encoding.limits`). A partial sum is held to what its
updates are held to: each integer to the largest that so much weight can add up to, the norm of the mean to the limit,
but for the rounding of its parts.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from math import sqrt

import numpy as np

from fluvial import encoding
from fluvial.encoding import int8, limits
from fluvial.encoding.inspection import inspect
from fluvial.encoding.int8 import LEVELS, Int8Encoding
from fluvial.encoding.partial_sum import PartialSumDecoding, is_within, largest_element
from fluvial.wire.records import ModelUpdate, Reason, Round


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What was found. norm: 0 unless every chunk was read. max_abs: of the chunks read; both 0 where not finite."""

    fault: Reason | None
    norm: float
    max_abs: float


class ContentInspector:
    """Inspects the content of one update whose manifest fits its round. Several threads may add different chunks."""

    def __init__(self, update: ModelUpdate, round_: Round) -> None:
        self._update = update
        self._round = round_
        self._codec = encoding.get(update.encoding)
        self._squares: list[float | None] = [None] * max(len(update.chunks), 1)
        self._max_abs = [0.0] * len(self._squares)
        self._fault: Reason | None = None
        self._largest_sum: int | None = None
        is_int8 = isinstance(self._codec, Int8Encoding)
        self._largest_element = (int8 if is_int8 else limits).largest_element(round_.max_abs)
        if isinstance(self._codec, PartialSumDecoding):
            self._largest_sum = update.weight * largest_element(round_.max_abs, round_.fraction_bits)

    @property
    def refused(self) -> bool:
        """Whether a fault was found: further chunks need not be read."""
        return self._fault is not None

    def add(self, index: int, chunk: bytes | memoryview) -> bool:
        """Inspect chunk `index` of the update's list. False: a fault is known, stop.

        Raises IndexError for a chunk that is not in the list.
        """
        reference = self._update.chunks[index]
        if self._fault is None:
            if len(chunk) != reference.length or sha256(chunk).digest() != reference.sha256:
                self._fault = Reason.CHUNK_MISMATCH
            else:
                self._inspect(index, chunk)
        return self._fault is None

    def add_inline(self, delta: bytes) -> bool:
        """Inspect the delta inside the envelope, whose signature covers its bytes. False: a fault is known."""
        if self._fault is None:
            self._inspect(0, delta)
        return self._fault is None

    def unavailable(self) -> None:
        """A chunk cannot be read."""
        self._fault = self._fault or Reason.INCOMPLETE

    def result(self) -> Content:
        """INCOMPLETE if a chunk was never added, else what the chunks are."""
        if self._fault is Reason.NON_FINITE:
            return Content(fault=self._fault, norm=0.0, max_abs=0.0)
        squares = [one for one in self._squares if one is not None]
        complete = len(squares) == len(self._squares)
        norm = sqrt(sum(squares)) if complete else 0.0
        fault = self._fault
        if fault is None and not complete:
            fault = Reason.INCOMPLETE
        if fault is None and self._round.max_norm > 0.0 and norm > self._largest_norm():
            fault = Reason.NORM_EXCEEDED
        return Content(fault=fault, norm=norm, max_abs=max(self._max_abs))

    def _inspect(self, index: int, raw: bytes | memoryview) -> None:
        if isinstance(self._codec, Int8Encoding) and np.frombuffer(raw, np.int8).min() < -LEVELS:
            self._fault = Reason.ENCODING
            return
        if self._largest_sum is not None and not is_within(raw, self._largest_sum):
            self._fault = Reason.MAGNITUDE_EXCEEDED
            return
        first = index * self._round.chunk_elements
        # A code times its scale may overflow, and a signalling NaN may make a processor complain: both are looked for
        # in the numbers, and must not become warnings or, where a caller has numpy raise, exceptions.
        with np.errstate(over="ignore", invalid="ignore"):
            elements = self._codec.decode_chunk(bytes(raw), first, self._round.layout, self._update.scales)
            finite, max_abs, squares = inspect(elements)
        if not finite:
            self._fault = Reason.NON_FINITE
            return
        self._squares[index] = squares
        self._max_abs[index] = max_abs
        if self._largest_sum is None and max_abs > self._largest_element:
            self._fault = Reason.MAGNITUDE_EXCEEDED

    def _largest_norm(self) -> float:
        """Of updates within the limit the mean is, too; a code of int8 may be off by 64 units of the sum's grid, and
        the mean is measured as float32."""
        limit = limits.largest_norm(self._round.max_norm)
        if self._largest_sum is None:
            return limit
        return limit * (1 + 2.0**-23) + 64 * 2.0**-self._round.fraction_bits * sqrt(self._round.num_elements)
