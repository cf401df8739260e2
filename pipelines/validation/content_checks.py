"""Content checks of many updates at once: each partition is read forward, once for all updates that wait.

Updates are uploaded at the same time, so their chunks interleave. Reading one update after the other would read the
same stretch of a partition once for each. Updates therefore wait a moment for each other, and whoever comes first to a
partition reads it for all. Threads of the process do so in the background, so that records and checkpoints pass while
tensors are read.

What waits here is memory only; the records themselves are parked in Flink state and submitted again after a restart.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from fluvial.wire.errors import ChunkUnavailable
from fluvial.wire.records import AcceptedUpdate, ChunkReference, Verdict
from governance.admission.gate import Inspection, NeedsContent

ReadChunk = Callable[[ChunkReference], bytes]
OnChecked = Callable[[NeedsContent, int, bytes], None]
"""Told of each chunk that passed the checks, in the thread that read it: the update, the chunk's index and bytes."""

DENSE = 0.9
"""Share of a stretch that must be wanted for it to be read at once."""

THREADS = 2
"""Readers of a process. More would wait for the interpreter lock; two keep one busy while the other has it."""


@dataclass(slots=True)
class _Claim:
    """One update: what was found of it so far. Two threads may bring chunks of it at the same time."""

    needs: NeedsContent
    inspection: Inspection
    lock: threading.Lock = field(default_factory=threading.Lock)


Place = tuple[str, int, int]
"""Topic, partition and offset of a record."""

_Work = tuple[int, int, _Claim]
"""Offset, index of the chunk in its update, the update."""


class ContentChecks:
    """Updates that wait for their content to be checked, by their record's place in the log: equal records, which
    anybody may send, are different ones here, and each gets its own verdict."""

    def __init__(self, read: ReadChunk, on_checked: OnChecked | None = None) -> None:
        self._read = read
        self._on_checked = on_checked
        self._claims: dict[Place, _Claim] = {}
        self._work: dict[int, list[_Work]] = {}
        self._lock = threading.Lock()
        self._partition_locks: dict[int, threading.Lock] = {}
        self._threads = ThreadPoolExecutor(THREADS, "content-checks")
        self._reading: dict[Place, list[Future[None]]] = {}

    def submit(self, needs: NeedsContent, inspection: Inspection) -> None:
        """Add an update. One that waits already is not added again."""
        with self._lock:
            if _place(needs) in self._claims:
                return
            claim = _Claim(needs, inspection)
            self._claims[_place(needs)] = claim
            for index, chunk in enumerate(needs.update.chunks):
                self._partition_locks.setdefault(chunk.partition, threading.Lock())
                self._work.setdefault(chunk.partition, []).append((chunk.offset, index, claim))

    def dense(self, needs: NeedsContent) -> bool:
        """Whether the stretches of log that hold the update are mostly wanted by those that wait.

        If not, its neighbours are probably still on their way, and a pass now would have to be made again for them.
        """
        with self._lock:
            for partition in {chunk.partition for chunk in needs.update.chunks}:
                offsets = [offset for offset, _, _ in self._work.get(partition, ())]
                if offsets and len(offsets) < DENSE * (max(offsets) - min(offsets) + 1):
                    return False
        return True

    def ready(self, needs: NeedsContent) -> bool:
        """Whether `settle` need not wait. The first call makes threads read what is missing, also for the others that
        wait; what they raise, `settle` meets again."""
        if _place(needs) not in self._reading:
            self._reading[_place(needs)] = [
                self._threads.submit(self._drain_alone, partition) for partition in _partitions(needs)
            ]
        return all(future.done() for future in self._reading[_place(needs)])

    def withdraw(self, needs: NeedsContent) -> None:
        """Forget an update that is refused for another reason."""
        with self._lock:
            claim = self._claims.pop(_place(needs), None)
            self._reading.pop(_place(needs), None)
            for partition, work in self._work.items():
                self._work[partition] = [item for item in work if item[2] is not claim]

    def settle(self, needs: NeedsContent) -> tuple[Verdict, AcceptedUpdate | None]:
        """The update's verdict. Reads what is missing, also for the others that wait.

        Raises TimeoutError when the broker does not answer; everything then still waits.
        """
        claim = self._claims[_place(needs)]
        self._reading.pop(_place(needs), None)
        # First whatever nobody reads, so that two threads work on different partitions; then wait for the rest.
        for blocking in (False, True):
            for partition in _partitions(needs):
                self._drain_alone(partition, blocking=blocking)
        with self._lock:
            del self._claims[_place(needs)]
        return claim.inspection.result()

    def _drain_alone(self, partition: int, *, blocking: bool = True) -> None:
        """Read all that is wanted of a partition, unless another thread does and the caller would not wait for it."""
        if self._partition_locks[partition].acquire(blocking=blocking):
            try:
                self._drain(partition)
            finally:
                self._partition_locks[partition].release()

    def _drain(self, partition: int) -> None:
        """Read all that is wanted of a partition, in the order of the log. The caller holds the partition's lock."""
        with self._lock:
            work = sorted(self._work.pop(partition, ()), key=lambda item: item[:2])
        done = 0
        try:
            for _, index, claim in work:
                self._check(index, claim)
                done += 1
        finally:
            if done < len(work):
                with self._lock:
                    self._work.setdefault(partition, []).extend(work[done:])

    def _check(self, index: int, claim: _Claim) -> None:
        if claim.inspection.refused:
            return
        try:
            chunk = self._read(claim.needs.update.chunks[index])
        except ChunkUnavailable:
            with claim.lock:
                claim.inspection.unavailable()
        else:
            if claim.inspection.add(index, chunk) and self._on_checked is not None:
                self._on_checked(claim.needs, index, chunk)


def _place(needs: NeedsContent) -> Place:
    return needs.source.topic, needs.source.partition, needs.source.offset


def _partitions(needs: NeedsContent) -> Iterable[int]:
    return sorted({chunk.partition for chunk in needs.update.chunks})


_shared: dict[str, ContentChecks] = {}
_shared_lock = threading.Lock()


def shared_checks(name: str, make: Callable[[], ContentChecks]) -> ContentChecks:
    """The checks that the subtasks of this process share, by the topic and brokers that `name` stands for."""
    with _shared_lock:
        if name not in _shared:
            _shared[name] = make()
        return _shared[name]
