"""Step 11, content: the tensor bytes themselves, a chunk at a time, in any order.

Memory: one chunk, its decoded elements (none for float32, which is a view) and a tile of float64. The numbers of a
chunk do not depend on when it is read, the norm adds the chunks in chunk order, and of several faulty chunks the first
of the list counts, whichever was read first: so a repeated judgement gives the same bits. Shapes: n elements of one
chunk.

Which bytes are a chunk is its encoding's to say; the numbers are held to the limits as decoded. What lies at a limit is
within it, as float32 meets it (`fluvial.encoding.limits`).
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Sequence
from hashlib import sha256
from math import sqrt

import numpy as np

from fluvial import encoding
from fluvial.admission.manifest import limits_of
from fluvial.encoding import Span, TensorDecoding
from fluvial.encoding.inspection import Numbers, inspect, inspect_rows
from fluvial.wire.records import ModelUpdate, Reason, Round
from governance.admission.evidence import Finding

_SMALL_BYTES = 4 << 10
"""Of an inline delta that is inspected together with others."""


class ContentInspector:
    """Inspects the content of one update whose manifest fits its round. Several threads may add different chunks."""

    def __init__(self, update: ModelUpdate, round_: Round) -> None:
        self._update = update
        self._round = round_
        self._codec = encoding.get(update.encoding)
        self._squares: list[float | None] = [None] * max(len(update.chunks), 1)
        self._max_abs = [0.0] * len(self._squares)
        self._limits = limits_of(update, round_)
        self._largest_element = self._codec.largest_element(round_.max_abs)
        self._first_fault: tuple[int, Reason] | None = None
        self._lock = threading.Lock()

    def wants(self, index: int) -> bool:
        """Whether chunk `index` can still change what is found: no chunk before it is at fault."""
        first = self._first_fault
        return first is None or index < first[0]

    def add(self, index: int, chunk: bytes | memoryview) -> bool:
        """Inspect chunk `index` of the update's list. Says whether it is good.

        Raises IndexError for a chunk that is not in the list.
        """
        reference = self._update.chunks[index]
        if len(chunk) != reference.length or sha256(chunk).digest() != reference.sha256:
            return self._note(index, Reason.CHUNK_MISMATCH)
        return self._note(index, self._inspect(index, chunk))

    def claimed(self, index: int) -> None:
        """Chunk `index` is another participant's."""
        self._note(index, Reason.CHUNK_CLAIMED)

    def unavailable(self, index: int) -> None:
        """Chunk `index` cannot be read."""
        self._note(index, Reason.INCOMPLETE)

    def result(self) -> Finding:
        """What the chunks are, INCOMPLETE where one that is wanted was never added.

        The norm is 0 where a chunk is at fault, max_abs that of the chunks up to it; both 0 where one is not finite.
        """
        if self._first_fault is not None:
            index, fault = self._first_fault
            if None in self._squares[:index]:
                return Finding(fault=Reason.INCOMPLETE)
            max_abs = 0.0 if fault is Reason.NON_FINITE else max(self._max_abs[: index + 1])
            return Finding(fault=fault, max_abs=max_abs)
        squares = [one for one in self._squares if one is not None]
        if len(squares) < len(self._squares):
            return Finding(fault=Reason.INCOMPLETE)
        norm = sqrt(sum(squares))
        too_far = self._round.max_norm > 0.0 and norm > self._codec.largest_norm(self._limits)
        return Finding(fault=Reason.NORM_EXCEEDED if too_far else None, norm=norm, max_abs=max(self._max_abs))

    def _note(self, index: int, fault: Reason | None) -> bool:
        if fault is None:
            return True
        with self._lock:
            if self.wants(index):
                self._first_fault = index, fault
        return False

    def _inspect(self, index: int, raw: bytes | memoryview) -> Reason | None:
        span = Span.of(self._round, index)
        fault = self._codec.check(raw, span, self._limits)
        if fault is not None:
            return Reason[fault.name]
        finite, max_abs, squares = _numbers(self._codec, raw, span, self._update.scales)
        if not finite:
            return Reason.NON_FINITE
        self._squares[index] = squares
        self._max_abs[index] = max_abs
        return Reason.MAGNITUDE_EXCEEDED if max_abs > self._largest_element else None


def inspect_inline(update: ModelUpdate, round_: Round, numbers: Numbers | None = None) -> Finding:
    """The finding on the delta inside an envelope, whose signature covers its bytes. numbers: of it, where they are
    known (`numbers_of`)."""
    raw = update.inline
    if raw is None:
        raise ValueError("the update's delta lies in chunks")
    codec, limits, span = encoding.get(update.encoding), limits_of(update, round_), Span.of(round_, 0)
    fault = codec.check(raw, span, limits)
    if fault is not None:
        return Finding(fault=Reason[fault.name])
    finite, max_abs, squares = numbers or _numbers(codec, raw, span, update.scales)
    if not finite:
        return Finding(fault=Reason.NON_FINITE)
    if max_abs > codec.largest_element(round_.max_abs):
        return Finding(fault=Reason.MAGNITUDE_EXCEEDED, max_abs=max_abs)
    norm = sqrt(squares)
    too_far = round_.max_norm > 0.0 and norm > codec.largest_norm(limits)
    return Finding(fault=Reason.NORM_EXCEEDED if too_far else None, norm=norm, max_abs=max_abs)


def numbers_of(updates: Sequence[ModelUpdate]) -> dict[int, Numbers]:
    """What `inspect_inline` would find out of small float32 deltas that came together, by their place in the sequence.
    It says nothing of their rounds, so it may be known before they are."""
    alike: dict[int, list[tuple[int, bytes]]] = defaultdict(list)
    for place, update in enumerate(updates):
        raw = update.inline
        if raw and update.encoding == "float32" and len(raw) <= _SMALL_BYTES and not len(raw) % 4:
            alike[len(raw)].append((place, raw))
    numbers: dict[int, Numbers] = {}
    for length, rows in alike.items():
        chunks = np.frombuffer(b"".join([raw for _, raw in rows]), "<f4").reshape(len(rows), length // 4)
        with np.errstate(invalid="ignore"):
            numbers.update(zip([place for place, _ in rows], inspect_rows(chunks), strict=True))
    return numbers


def _numbers(codec: TensorDecoding, raw: bytes | memoryview, span: Span, scales: Sequence[float]) -> Numbers:
    # A code times its scale may overflow, and a signalling NaN may make a processor complain: both are looked for in
    # the numbers, and must not become warnings or, where a caller has numpy raise, exceptions.
    with np.errstate(over="ignore", invalid="ignore"):
        return inspect(codec.decode(raw, span, scales))
