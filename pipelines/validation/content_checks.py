"""The content of many updates at once, as evidence: each partition is read forward, once for all updates that wait.

Updates are uploaded at the same time, so their chunks interleave. Reading one update after the other would read the
same stretch of a partition once for each. Updates therefore wait a moment for each other, and one pass over a partition
serves all. Threads of the process make it in the background: no operator ever reads.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from fluvial.admission.judgement import NeedsEvidence, Place
from fluvial.wire.errors import ChunkUnavailable
from fluvial.wire.foreign_text import logger
from fluvial.wire.records import ChunkReference, ModelUpdate
from governance.admission.content import ContentInspector, inspect_inline
from governance.admission.evidence import Finding
from pipelines.flink.chunk_cache import Chunk
from pipelines.validation.wanted_chunks import Wanted, WantedChunks

ReadChunk = Callable[[ChunkReference], Chunk]
"""The record at a reference. Raises ChunkUnavailable, and TimeoutError when the broker does not answer."""

IsOwn = Callable[[ModelUpdate, bytes | None], bool]
"""Whether a chunk with this Kafka key may be part of the update."""

OnChecked = Callable[[NeedsEvidence, int, bytes], None]
"""Told of each chunk that passed the checks, in the thread that read it: the update, the chunk's index and bytes."""

BATCH_S = 0.02
"""Least wait of an update before its content is read, so that updates uploaded together are read together."""

LONGEST_BATCH_S = 0.4
"""Longest such wait, when the neighbours of its chunks stay unclaimed."""

_DENSE = 0.9
"""Share of a stretch that must be wanted for it to be read at once."""

_THREADS = 2
"""Readers of a process. More would wait for the interpreter lock; two keep one busy while the other has it. Updates of
one chunk are all in one partition: there one checks what it has read while the other reads."""

_PAUSE_S = 1.0
"""Before a partition is tried again whose broker did not answer."""

_LONGEST_TURN_S = 0.2
"""Longest wait of a second thread until the first one has read: behind a broker that does not answer it would be held
as well, and nobody would be left for other partitions."""

_log = logger(__name__)


@dataclass(slots=True, eq=False)
class _Claim:
    """One update under check. num_left: chunks not looked at. stretches: by partition, offsets of its first chunk and
    behind its last. look_s: when to ask again whether to read. found: of an inline delta. error: what no chunk of a log
    can explain."""

    needs: NeedsEvidence
    inspector: ContentInspector
    num_left: int
    submitted_s: float
    stretches: dict[int, tuple[int, int]]
    look_s: float
    found: Finding | None = None
    is_reading: bool = False
    is_withdrawn: bool = False
    error: Exception | None = None


_Partition = WantedChunks[_Claim]


class ContentChecks:
    """Evidence of kind content. The subtasks of a process share one, for a topic of chunks, and close it together."""

    def __init__(
        self,
        read: ReadChunk,
        is_own: IsOwn,
        on_checked: OnChecked | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._is_own = is_own
        self._on_checked = on_checked
        self._clock = clock
        self._claims: dict[Place, _Claim] = {}
        self._partitions: dict[int, _Partition] = {}
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(_THREADS, "content-checks")
        self._is_closed = False
        self._num_queued = 0

    def at_once(self, needs: NeedsEvidence) -> Finding | None:
        """An inline delta is inspected at once: it is small, and in hand."""
        return None if needs.update.inline is None else inspect_inline(needs.update, needs.round, needs.numbers)

    def submit(self, needs: NeedsEvidence) -> None:
        """Begin to check an update. A place that is under check already, left by a job that failed in this process, is
        checked anew."""
        self.withdraw(needs.source.place)
        update = needs.update
        inspector, now_s = ContentInspector(update, needs.round), self._clock()
        claim = _Claim(needs, inspector, len(update.chunks), now_s, _stretches(update.chunks), now_s + BATCH_S)
        claim.found = self.at_once(needs)
        with self._lock:
            self._claims[needs.source.place] = claim
            for index, chunk in enumerate(update.chunks):
                self._partitions.setdefault(chunk.partition, _Partition()).add([(chunk.offset, index, claim)])

    def ready(self, place: Place) -> bool:
        with self._lock:
            claim = self._claims[place]
            if not claim.num_left or claim.error is not None:
                return True
            now_s = self._clock()
            if not claim.is_reading:
                if now_s < claim.look_s:
                    return False
                claim.is_reading = now_s >= claim.submitted_s + LONGEST_BATCH_S or self._is_dense(claim)
                claim.look_s = now_s + BATCH_S
                if not claim.is_reading:
                    return False
            # A second thread for a partition comes behind the first of each, and none behind one that is held up.
            for num_threads in range(_THREADS):
                for number in claim.stretches:
                    partition = self._partitions[number]
                    is_due = partition.num_threads == num_threads < len(partition) and now_s >= partition.not_before_s
                    if is_due and not (num_threads and _is_held_up(partition, now_s)):
                        partition.num_threads += 1
                        self._num_queued += 1
                        self._threads.submit(self._drain, partition)
            return False

    def settle(self, place: Place) -> Finding:
        with self._lock:
            claim = self._claims.pop(place)
        if claim.error is not None:
            raise claim.error
        return claim.found or claim.inspector.result()

    def withdraw(self, place: Place) -> None:
        with self._lock:
            claim = self._claims.pop(place, None)
            if claim is None:
                return
            claim.is_withdrawn = True
            for number in claim.stretches:
                self._partitions[number].forget(claim)

    def close(self) -> None:
        """Ends the threads, after the chunk that each is reading. What is under check is forgotten."""
        self._is_closed = True
        self._threads.shutdown(cancel_futures=True)

    def _is_dense(self, claim: _Claim) -> bool:
        """Whether the stretches of log that hold the update are mostly wanted by those that wait. If not, its
        neighbours are probably still on their way, and a pass now would have to be made again for them."""
        for number, (first, end) in claim.stretches.items():
            num_wanted = self._partitions[number].num_between(first, end)
            if num_wanted and num_wanted < _DENSE * (end - first):
                return False
        return True

    def _drain(self, partition: _Partition) -> None:
        """Read all that is wanted of a partition, in the order of the log, until nothing is. Of several threads one
        reads at a time, while others check what they have read; a second one leaves when another partition waits."""
        with self._lock:
            self._num_queued -= 1
        while True:
            with self._lock:
                if self._num_queued and partition.num_threads > 1:
                    partition.num_threads -= 1
                    return
            if not partition.reading.acquire(timeout=_LONGEST_TURN_S):
                with self._lock:
                    partition.num_threads -= 1
                return
            try:
                with self._lock:
                    work = partition.take() if self._may_read(partition) else None
                    if work is None:
                        partition.num_threads -= 1
                        return
                    partition.turn_began_s = self._clock()
                _, index, claim = work
                try:
                    chunk = self._read_wanted(claim, index)
                except TimeoutError as error:
                    self._try_later(partition, work, error)
                    return
                except Exception as error:  # told in the operator that waits for it
                    claim.error, chunk = error, None
            finally:
                partition.reading.release()
            if chunk is not None:
                try:
                    self._check(claim, index, chunk)
                except Exception as error:  # told as well
                    claim.error = error
            with self._lock:
                claim.num_left -= 1

    def _may_read(self, partition: _Partition) -> bool:
        return not self._is_closed and self._clock() >= partition.not_before_s

    def _try_later(self, partition: _Partition, work: Wanted[_Claim], error: TimeoutError) -> None:
        with self._lock:
            if not work[2].is_withdrawn:
                partition.add([work])
            partition.not_before_s = self._clock() + _PAUSE_S
            partition.num_threads -= 1
            num_left = len(partition)
        _log.warning("%d chunks wait for a broker that does not answer: %s", num_left, error)

    def _read_wanted(self, claim: _Claim, index: int) -> bytes | None:
        """The chunk, if it still plays a part, is there and is the participant's own. Raises TimeoutError."""
        if claim.is_withdrawn or claim.error is not None or not claim.inspector.wants(index):
            return None
        update = claim.needs.update
        try:
            key, chunk = self._read(update.chunks[index])
        except ChunkUnavailable:
            claim.inspector.unavailable(index)
            return None
        if self._is_own(update, key):
            return chunk
        claim.inspector.claimed(index)
        return None

    def _check(self, claim: _Claim, index: int, chunk: bytes) -> None:
        if claim.inspector.add(index, chunk) and self._on_checked is not None:
            self._on_checked(claim.needs, index, chunk)


def _is_held_up(partition: _Partition, now_s: float) -> bool:
    return partition.reading.locked() and now_s > partition.turn_began_s + _LONGEST_TURN_S


def _stretches(chunks: Sequence[ChunkReference]) -> dict[int, tuple[int, int]]:
    stretches: dict[int, tuple[int, int]] = {}
    for chunk in chunks:
        first, end = stretches.get(chunk.partition, (chunk.offset, 0))
        stretches[chunk.partition] = min(first, chunk.offset), max(end, chunk.offset + 1)
    return stretches
