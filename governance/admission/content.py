"""What an update's numbers are: each chunk the one that was signed, finite, within the round's bounds.

Chunks pass through one by one, in any order, so memory stays at one chunk. The squares of a chunk are summed in
float64, and the chunks' sums added in chunk order, so the norm is the same on every machine.
"""

from __future__ import annotations

from hashlib import sha256
from math import sqrt

import numpy as np

from fluvial import encoding
from fluvial.wire.records import ModelUpdate, Reason, Round
from governance.admission.inspection import inspect


class ContentInspector:
    """Collects the findings of an update's chunks. Call `add` for each, then `finding`."""

    def __init__(self, update: ModelUpdate, round_: Round) -> None:
        self._update, self._round = update, round_
        self._codec = encoding.get(update.encoding)
        self._squares: dict[int, float] = {}
        self._reason: Reason | None = None
        self.max_abs = 0.0

    @property
    def refused(self) -> bool:
        """Whether a reason to refuse was found, so that further chunks need not be read."""
        return self._reason is not None

    def add(self, index: int, raw: bytes) -> bool:
        """Inspect chunk `index` of the update. Returns whether further chunks are of interest."""
        reference = self._update.chunks[index]
        if len(raw) != reference.length or sha256(raw).digest() != reference.sha256:
            self._reason = Reason.CHUNK_MISMATCH
            return False
        return self._inspect(index, raw)

    def add_inline(self, raw: bytes) -> bool:
        """Inspect an update that travels inside its envelope; the envelope's signature covers it."""
        return self._inspect(0, raw)

    def unavailable(self) -> None:
        """A chunk is not in the log."""
        self._reason = Reason.INCOMPLETE

    @property
    def norm(self) -> float:
        """L2 norm of what was inspected."""
        return sqrt(sum(self._squares[index] for index in sorted(self._squares)))

    def finding(self) -> Reason | None:
        """Reason to refuse, or None."""
        if self._reason is not None:
            return self._reason
        if self.max_abs > self._round.max_abs:
            return Reason.MAGNITUDE_EXCEEDED
        if self._round.max_norm and self.norm > self._round.max_norm:
            return Reason.NORM_EXCEEDED
        return None

    def _inspect(self, index: int, raw: bytes) -> bool:
        first = index * self._round.chunk_elements
        # A scale may be so large that a product is infinite; that is what is looked for.
        with np.errstate(over="ignore"):
            values = self._codec.decode_chunk(raw, first, self._round.layout, self._update.scales)
        finite, max_abs, squares = inspect(values)
        if not finite:
            self._reason = Reason.NON_FINITE
            return False
        self._squares[index] = squares
        self.max_abs = max(self.max_abs, max_abs)
        return True
