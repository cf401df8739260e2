"""Replay of a published model: the same inputs and arithmetic, other code than the jobs'; and the same bytes or not.

1. The manifest is signed by who may sign it (the log checks that when it reads it), and its own digests hold.
2. Every contribution's envelope lies where the manifest says, with the bytes it says, signed by its participant, for
   this round and base model.
3. The rule selects the same contributions again; multi-Krum from the deltas of all of them.
4. Every chunk is computed again from the parent's chunk and the exact sum of the selected deltas, and compared with the
   manifest's digest and, while the slot still holds it, with the stored bytes.

A parent's chunks that are gone are computed again in the same way from its own parent, down to version 0.

What must be there: the envelopes, the update chunks of every version that is computed, and the initial model or the
seed it came from. If something is gone, nothing is shown either way, and ChunkUnavailable says what. Memory: a few
batches of chunks, whatever the model's size.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import numpy.typing as npt

from deploy.replay.deltas import Deltas, decoded
from deploy.replay.evidence import ReplayLog, Update, check_manifest, read_updates
from fluvial.wire.errors import ChunkUnavailable
from fluvial.wire.records import ModelManifest
from models.aggregation.contribution import add_chunk
from models.aggregation.fixed_point import ChunkSum, finish
from models.aggregation.gram import partial_gram, total_gram
from models.aggregation.plan import Measure, RoundUpdates
from models.aggregation.rule import Rule, parse_rule

BATCH_BYTES = 64 << 20
_MAX_DIFFERENCES = 100

Initial = Callable[[ModelManifest], npt.NDArray[np.float32]]
"""The initial model of a task, float32[num_elements], from its seed. Raises ChunkUnavailable where there is none."""
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
    batch_bytes: int = BATCH_BYTES,
) -> ReplayResult:
    """Compute a version again and compare.

    initial: makes version 0 again where its chunks are gone. Raises ValueError when the version was never published,
    ChunkUnavailable when the log no longer holds what it takes, VerificationError when a manifest is not to be trusted.
    """
    started = time.monotonic()
    manifests = log.manifests(task)
    if version not in manifests:
        known = f"versions {min(manifests)} to {max(manifests)} are published" if manifests else "nothing is published"
        raise ValueError(f"{task} has no version {version}: {known}")
    deltas = Deltas(log, batch_bytes, on_progress)
    run = _Replay(log, manifests, deltas, initial, batch_bytes)
    run.compare(manifests[version])
    seconds = time.monotonic() - started
    return ReplayResult(
        task=task,
        version=version,
        bit_exact=not run.differs,
        differs=tuple(run.differs),
        contributions=len(manifests[version].contributions),
        versions=tuple(sorted(run.versions)),
        update_bytes=deltas.bytes_read,
        seconds=seconds,
        megabytes_per_second=deltas.bytes_read / 1e6 / seconds,
    )


class _Broken(Exception):
    """The evidence for a version does not hold, so that there is nothing to compute."""


class _Replay:
    """One replay: what it has found so far, and the versions whose evidence has been checked."""

    def __init__(
        self,
        log: ReplayLog,
        manifests: Mapping[int, ModelManifest],
        deltas: Deltas,
        initial: Initial | None,
        batch_bytes: int,
    ) -> None:
        self._log, self._manifests, self._deltas = log, manifests, deltas
        self._initial, self._batch_bytes = initial, batch_bytes
        self._selected: dict[int, list[Update]] = {}
        self._initial_model: npt.NDArray[np.float32] | None = None
        self.differs: list[str] = []
        self.versions: set[int] = set()

    def compare(self, manifest: ModelManifest) -> None:
        """Compute every chunk of the version and note what differs."""
        size = max(1, self._batch_bytes // (4 * manifest.chunk_elements))
        try:
            check_manifest(manifest, self._note(manifest))
            for batch in _in_batches(self._computed(manifest, range(len(manifest.chunks))), size):
                stored = self._stored(manifest, [index for index, _ in batch])
                for (index, computed), found in zip(batch, stored, strict=True):
                    if found is not None and found != computed:
                        self._note(manifest)(f"chunk {index} is not what is stored")
        except _Broken:
            self._note(manifest)("not computed again: what it rests on does not hold")

    def _note(self, manifest: ModelManifest) -> Callable[[str], None]:
        def note(message: str) -> None:
            if len(self.differs) < _MAX_DIFFERENCES:
                self.differs.append(f"version {manifest.version}: {message}")

        return note

    def _computed(self, manifest: ModelManifest, indices: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """(chunk, its bytes), in order; a digest that is not the manifest's is noted. Raises _Broken."""
        self.versions.add(manifest.version)
        chunks = self._first(manifest, indices) if manifest.version == 0 else self._aggregated(manifest, indices)
        for index, chunk in chunks:
            if sha256(chunk).digest() != manifest.chunks[index].sha256:
                self._note(manifest)(f"chunk {index} does not have the manifest's digest")
            yield index, chunk

    def _first(self, manifest: ModelManifest, indices: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """Version 0 rests on nothing but the operator's signature: it is read, or made again from its seed."""
        size = max(1, self._batch_bytes // (4 * manifest.chunk_elements))
        for start in range(0, len(indices), size):
            batch = indices[start : start + size]
            for index, chunk in zip(batch, self._stored(manifest, batch), strict=True):
                yield index, self._made_again(manifest, index) if chunk is None else chunk

    def _made_again(self, manifest: ModelManifest, index: int) -> bytes:
        if self._initial is None:
            raise ChunkUnavailable(f"version 0, chunk {index}: the slot has been used again")
        if self._initial_model is None:
            self._initial_model = self._initial(manifest)
        first = index * manifest.chunk_elements
        return self._initial_model[first : first + manifest.chunk_elements].astype("<f4").tobytes()

    def _aggregated(self, manifest: ModelManifest, indices: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        parent = self._manifests.get(manifest.parent_version)
        if parent is None or parent.version >= manifest.version or parent.model_digest != manifest.parent_digest:
            self._note(manifest)(f"its parent is not version {manifest.parent_version} as published")
            raise _Broken
        if manifest.version not in self._selected:
            self._selected[manifest.version] = self._select(manifest, parent)
        updates = self._selected[manifest.version]
        total_weight = sum(update.record.weight for update in updates)
        for deltas in self._deltas.batches(manifest, updates, indices):
            base_chunks = dict(self._base(parent, list(deltas)))
            for index, raws in deltas.items():
                base = np.frombuffer(base_chunks[index], dtype="<f4")
                total = ChunkSum(base.size, manifest.fraction_bits)
                for update, raw in zip(updates, raws, strict=True):
                    add_chunk(
                        total,
                        raw,
                        encoding=update.record.encoding,
                        first_element=index * manifest.chunk_elements,
                        layout=manifest.layout,
                        scales=update.record.scales,
                        weight=update.record.weight,
                    )
                model = finish(base, total.values, total_weight, manifest.fraction_bits)
                yield index, model.astype("<f4", copy=False).tobytes()

    def _base(self, parent: ModelManifest, indices: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """The parent's chunks: as stored where they are still there and right, otherwise computed."""
        missing = []
        for index, chunk in zip(indices, self._stored(parent, indices), strict=True):
            if chunk is not None and sha256(chunk).digest() == parent.chunks[index].sha256:
                yield index, chunk
            else:
                missing.append(index)
        if missing:
            yield from self._computed(parent, missing)

    def _stored(self, manifest: ModelManifest, indices: Sequence[int]) -> list[bytes | None]:
        """The chunks as they lie in the log, None where the slot has been used again."""
        chunks = [manifest.chunks[index] for index in indices]
        try:
            return list(self._log.model_chunks([(chunk.partition, chunk.offset) for chunk in chunks]))
        except ChunkUnavailable:
            if len(indices) == 1:
                return [None]
        middle = len(indices) // 2
        return self._stored(manifest, indices[:middle]) + self._stored(manifest, indices[middle:])

    def _select(self, manifest: ModelManifest, parent: ModelManifest) -> list[Update]:
        """The version's updates that the rule takes in, all its evidence checked. Raises _Broken."""
        note = self._note(manifest)
        updates = list(read_updates(self._log, manifest, parent, note))
        if len(updates) != len(manifest.contributions):
            raise _Broken
        rule = parse_rule(manifest.rule)
        round_updates = RoundUpdates(
            participants=tuple(update.contribution.participant for update in updates),
            weights=tuple(update.record.weight for update in updates),
        )
        weights = rule.plan(round_updates, self._gram(manifest, updates, rule)).effective_weights
        for update, weight in zip(updates, weights, strict=True):
            contribution = update.contribution
            if weight != (contribution.weight if contribution.selected else 0):
                was = "selected" if contribution.selected else "left out"
                note(f"{contribution.participant} was {was}; the rule gives the weight {weight}")
        if sum(weights) != manifest.total_weight:
            note(f"total weight {manifest.total_weight}; the rule gives {sum(weights)}")
        return [update for update, weight in zip(updates, weights, strict=True) if weight > 0]

    def _gram(self, manifest: ModelManifest, updates: list[Update], rule: Rule) -> npt.NDArray[np.float64] | None:
        if rule.measure is Measure.NONE:
            return None
        batches = self._deltas.batches(manifest, updates, range(len(manifest.chunks)))
        return total_gram(
            partial_gram([decoded(update, raw, manifest, index) for update, raw in zip(updates, raws, strict=True)])
            for deltas in batches
            for index, raws in deltas.items()
        )


def _in_batches(items: Iterator[tuple[int, bytes]], size: int) -> Iterator[list[tuple[int, bytes]]]:
    batch: list[tuple[int, bytes]] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
