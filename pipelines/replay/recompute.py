"""Replay of a published model: the same inputs and arithmetic, other code than the jobs'; and the same bytes or not.

1. The manifest is signed by who may sign it (the log checks that when it reads it), and its own digests hold.
2. Every contribution's envelope lies where the manifest says, with the bytes it says, signed by its participant, for
   this round and base model; in asynchronous windows for an earlier round, and the model that was the newest then.
3. The rule decides the same on the contributions, from the deltas of all of them where it compares them, and each is
   weighted by the rounds it lags behind.
4. Every chunk is computed again from the parent's chunk, the exact sum or coordinate-wise reduction of the deltas, and
   the parent's moments where the task has a server optimizer, and compared with the manifest's digest and, while the
   slot still holds it, with the stored bytes.

A parent's chunks that are gone are computed again in the same way from its own parent, down to version 0.

What must be there: the envelopes, the update chunks of every version that is computed, and the initial model or the
seed it came from. If something is gone, nothing is shown either way, and ChunkUnavailable says what. Memory: sums or
rows of one band, whatever the model's size.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from fluvial.wire.records import ModelManifest
from pipelines.replay.deltas import Deltas
from pipelines.replay.evidence import ReplayLog, check_manifest
from pipelines.replay.versions import Broken, Initial, Versions, references

MEMORY_BYTES = 512 << 20

Progress = Callable[[int, int], None]
"""(bytes of updates read so far, bytes to read as far as known)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayResult:
    """What came out. differs: what was found, in words; empty if and only if `bit_exact`.

    contributions: of the version asked for. versions: those computed. update_bytes: read from the log for all of them;
    megabytes_per_second: those in 10^6 bytes over the whole time.
    """

    task: str
    version: int
    bit_exact: bool
    differs: tuple[str, ...]
    contributions: int
    versions: tuple[int, ...]
    update_bytes: int
    seconds: float
    megabytes_per_second: float


def replay(
    log: ReplayLog,
    task: str,
    version: int,
    *,
    initial: Initial | None = None,
    on_progress: Progress = lambda done, total: None,
    memory_bytes: int = MEMORY_BYTES,
) -> ReplayResult:
    """Compute a version again and compare.

    initial: makes version 0 again where its chunks are gone. memory_bytes: of the sums or rows worked on at a time, at
    least one chunk. Raises ValueError when the version was never published, ChunkUnavailable when the log no longer
    holds what it takes, VerificationError when a manifest is not to be trusted.
    """
    started = time.monotonic()
    manifests = log.manifests(task)
    if version not in manifests:
        known = f"versions {min(manifests)} to {max(manifests)} are published" if manifests else "nothing is published"
        raise ValueError(f"{task} has no version {version}: {known}")
    deltas = Deltas(log, on_progress)
    versions = Versions(log, manifests, deltas, initial, memory_bytes)
    _compare(versions, manifests[version], memory_bytes)
    seconds = time.monotonic() - started
    return ReplayResult(
        task=task,
        version=version,
        bit_exact=not versions.differs,
        differs=tuple(versions.differs),
        contributions=len(manifests[version].contributions),
        versions=tuple(sorted(versions.computed)),
        update_bytes=deltas.bytes_read,
        seconds=seconds,
        megabytes_per_second=deltas.bytes_read / 1e6 / seconds,
    )


def _compare(versions: Versions, manifest: ModelManifest, memory_bytes: int) -> None:
    """Compute every chunk of the version and note what differs."""
    note = versions.note(manifest)
    size = max(1, memory_bytes // (4 * manifest.chunk_elements))
    try:
        check_manifest(manifest, note)
        for batch in _in_batches(versions.compute(manifest, range(len(manifest.chunks))), size):
            wanted = [reference for index, _ in batch for reference in references(manifest, index)]
            computed = [(index, chunk) for index, chunks in batch for chunk in chunks]
            for (index, chunk), found in zip(computed, versions.stored(wanted), strict=True):
                if found is not None and found != chunk:
                    note(f"chunk {index} is not what is stored")
    except Broken:
        note("not computed again: what it rests on does not hold")


def _in_batches(
    items: Iterable[tuple[int, tuple[bytes, ...]]], size: int
) -> Iterator[list[tuple[int, tuple[bytes, ...]]]]:
    batch: list[tuple[int, tuple[bytes, ...]]] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
