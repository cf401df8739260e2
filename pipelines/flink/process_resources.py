"""What the operators of one job share in one process: readers, what is known of chunks, sums, what the log said.

    resources = process_resources.acquire(settings, attempt)      # in open
    self._ends.append(ended_with(self, partial(process_resources.release, settings, attempt)))
    sums = resources.part(ExactSums, lambda: ExactSums(settings.tensor_memory_bytes))

There is one object for each submission of a job under its lease and each attempt to run it, made by the first operator
that opens and closed with the last, so nothing of a job that was cancelled or has failed is left for the next: no
consumer, no producer, no thread, no record under check, and nothing that was known before. Two jobs in one process
share none. Each part has one set of settings, the job's.

The road of a chunk through a process, from the content check to the sums:

    validation: ContentChecks reads it ─▶ checked (its digest is right) ─▶ announcements ─▶ EarlySums ─▶ ExactSums
    aggregation: Combine reads what is missing, asks checked before it hashes ─────────────────────────▶ ExactSums
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, TypeVar

from fluvial.wire.foreign_text import logger
from pipelines.config import Settings
from pipelines.flink.blobs import BlobReader, BlobWriter
from pipelines.flink.checked_chunks import Announcements, CheckedChunks
from pipelines.flink.chunk_writer import chunk_writer, subtask_of
from pipelines.flink.shared import Shared

_log = logger(__name__)
T = TypeVar("T")


@dataclass(slots=True)
class _Part:
    lock: threading.Lock = field(default_factory=threading.Lock)
    made: list[Any] = field(default_factory=list)


class ProcessResources:
    """See above. Safe to use from several threads. checked: chunks whose digest was found true. announcements: what the
    content check hands on to the shards of this process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.checked = CheckedChunks()
        self.announcements = Announcements(settings.partitions)
        self._parts: dict[Any, _Part] = {}
        self._ends: list[Callable[[], None]] = []
        self._lock = threading.Lock()

    def part(self, kind: type[T], make: Callable[[], T], close: Callable[[T], None] | None = None, name: str = "") -> T:
        """The part of this kind and name, made by the first that asks; whoever asks meanwhile waits. close: called when
        the last operator has closed. What making it raises is raised, and the next one tries again."""
        with self._lock:
            part = self._parts.setdefault((kind, name), _Part())
        with part.lock:
            if not part.made:
                made = make()
                part.made.append(made)
                if close is not None:
                    with self._lock:
                        self._ends.append(lambda: close(made))
            found: T = part.made[0]
            return found

    def reader(self, topic: str, purpose: str, *, cached: bool = False, check_crcs: bool = True) -> BlobReader:
        """The reader of a topic for a purpose: two that read at different places would send each other back. topic:
        full name. cached: what is read on the way to a wanted chunk is kept. check_crcs: see `BlobReader`."""

        def make() -> BlobReader:
            settings = self._settings
            return BlobReader(
                settings.brokers,
                topic,
                cache_bytes=settings.chunk_cache_bytes if cached else 0,
                timeout_ms=settings.read_timeout_ms,
                check_crcs=check_crcs,
            )

        return self.part(BlobReader, make, BlobReader.close, f"{topic} for {purpose}")

    def writer(self, ctx: Any, topic: str, name: str) -> BlobWriter:
        """The writer of chunks of the subtask that opens, for it alone, under the job's lease: see `chunk_writer`."""
        make = partial(chunk_writer, self._settings, ctx, topic, name)
        return self.part(BlobWriter, make, BlobWriter.close, f"{name}-{subtask_of(ctx)}")

    def close(self) -> None:
        """End all parts, those made last first. What one of them raises is told in the log, and the others end too."""
        while self._ends:
            try:
                self._ends.pop()()
            except Exception:
                _log.exception("a part of a job that has ended does not end in order")


class Attempt(NamedTuple):
    """An attempt to run a submission of a job. lease: its epoch, 0 without one. number: counts up from 0."""

    brokers: str
    topic_prefix: str
    submission: str
    lease: int
    number: int


_processes: Shared[Attempt, ProcessResources] = Shared(ProcessResources.close)


def acquire(settings: Settings, attempt: int = 0) -> ProcessResources:
    """Those of the job in this process. Each operator that has called this calls `release` when it closes. attempt: of
    the job's tasks, the same in all of them; what former ones had is closed, because their tasks have all ended."""
    key = _key(settings, attempt)
    _processes.drop(lambda other: other[:-1] == key[:-1] and other.number < attempt)
    return _processes.acquire(key, lambda: ProcessResources(settings))


def release(settings: Settings, attempt: int = 0) -> None:
    """The counterpart of `acquire`; nothing is left to do for a former attempt."""
    with suppress(KeyError):
        _processes.release(_key(settings, attempt))


def _key(settings: Settings, attempt: int) -> Attempt:
    lease = 0 if settings.holding is None else settings.holding.epoch
    return Attempt(str(settings.brokers), settings.topic_prefix, settings.submission, lease, attempt)
