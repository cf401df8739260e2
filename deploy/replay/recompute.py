"""Replay of a published model: the same inputs, the same arithmetic, other code than the jobs', and then the same bytes or not.

1. The manifest is what its signer may sign (the log checks that when it reads it), and its own sums and digests hold.
2. Every contribution's envelope lies where the manifest says, with the bytes it says, signed by its participant, for this round and base.
3. The rule selects the same contributions again; multi-Krum from the deltas of all of them.
4. Every chunk is computed again from the parent's chunk and the exact sum of the selected deltas, and compared with the manifest's digest
   and, while the slot still holds it, with the stored bytes.

A parent's chunks that are gone are computed again in the same way from its own parent, down to version 0.

What must be there: the envelopes, the update chunks of every version that is computed, and the initial model or the seed it came from. If
something is gone, nothing is shown either way, and ChunkUnavailable says what. Memory: one batch of chunks in use and one on its way.

Shapes: N updates, n elements of one chunk.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from fluvial import encoding
from fluvial.identity.envelope import unseal
from fluvial.wire.errors import ChunkUnavailable, DecodeError, SignatureInvalid
from fluvial.wire.layout import chunk_length, layout_digest, model_digest
from fluvial.wire.records import ChunkReference, Contribution, ModelManifest, ModelUpdate
from models.aggregation.fixed_point import ChunkSum, finish
from models.aggregation.gram import partial_gram, total_gram
from models.aggregation.rule import Rule, parse_rule

BATCH_BYTES = 64 << 20
"""Chunks that are read at once, of all updates together; at least one chunk of each."""

_MAX_DIFFERENCES = 100

Float32 = npt.NDArray[np.float32]
Initial = Callable[[ModelManifest], Float32]
"""The initial model of a task, float32[num_elements], from its seed. Raises ChunkUnavailable if it cannot be made again."""
Progress = Callable[[int, int], None]
"""(bytes of updates read so far, bytes to read as far as known)."""
T = TypeVar("T")


class ReplayLog(Protocol):
    """What replay reads. Positions are (partition, offset); what is not there any more raises ChunkUnavailable."""

    def manifests(self, task: str) -> Mapping[int, ModelManifest]:
        """Manifests of the task by version, each signed by who may sign it. Raises VerificationError."""

    def public_keys(self, participant: str) -> Iterable[bytes]:
        """Every key the participant was ever enrolled with, the likeliest first."""

    def envelopes(self, positions: Sequence[tuple[int, int]]) -> list[bytes]: ...

    def update_chunks(self, positions: Sequence[tuple[int, int]]) -> list[bytes]: ...

    def model_chunks(self, positions: Sequence[tuple[int, int]]) -> list[bytes]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayResult:
    """What came out. differs: what was found, in words; empty if and only if `bit_exact`.

    versions: those computed, the one asked for last. contributions: of the version asked for. update_bytes: read from the log for all of
    them; megabytes_per_second: those in 10^6 bytes over the whole time.
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

    initial: makes version 0 again where its chunks are gone. Raises ValueError when the version was never published, ChunkUnavailable when
    the log no longer holds what it takes, VerificationError when a manifest is not to be trusted.
    """
    started = time.monotonic()
    manifests = log.manifests(task)
    if version not in manifests:
        known = f"versions {min(manifests)} to {max(manifests)} are published" if manifests else "nothing is published"
        raise ValueError(f"{task} has no version {version}: {known}")
    run = _Replay(log, manifests, initial, on_progress, batch_bytes)
    run.compare(manifests[version])
    seconds = time.monotonic() - started
    return ReplayResult(
        task=task,
        version=version,
        bit_exact=not run.differs,
        differs=tuple(run.differs),
        contributions=len(manifests[version].contributions),
        versions=tuple(sorted(run.versions)),
        update_bytes=run.update_bytes,
        seconds=seconds,
        megabytes_per_second=run.update_bytes / 1e6 / seconds,
    )


@dataclass(frozen=True, slots=True)
class _Update:
    contribution: Contribution
    record: ModelUpdate

    @property
    def bytes_per_element(self) -> int:
        return encoding.get(self.record.encoding).bytes_per_element


class _Broken(Exception):
    """The evidence for a version does not hold, so that there is nothing to compute."""


class _Replay:
    """One replay: what it has found so far, and the versions whose evidence has been checked."""

    def __init__(
        self,
        log: ReplayLog,
        manifests: Mapping[int, ModelManifest],
        initial: Initial | None,
        on_progress: Progress,
        batch_bytes: int,
    ) -> None:
        self._log, self._manifests, self._initial = log, manifests, initial
        self._on_progress, self._batch_bytes = on_progress, batch_bytes
        self._selected: dict[int, list[_Update]] = {}
        self._initial_model: Float32 | None = None
        self._expected_bytes = 0
        self.differs: list[str] = []
        self.versions: set[int] = set()
        self.update_bytes = 0

    def compare(self, manifest: ModelManifest) -> None:
        """Compute every chunk of the version and note what differs."""
        try:
            for index, chunk in self._computed(manifest, range(len(manifest.chunks))):
                self._compare_stored(manifest, index, chunk)
        except _Broken:
            self._note(f"version {manifest.version} was not computed again: what it rests on does not hold")

    def _note(self, message: str) -> None:
        if len(self.differs) < _MAX_DIFFERENCES and message not in self.differs:
            self.differs.append(message)

    def _computed(self, manifest: ModelManifest, indices: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """(chunk, its bytes) of these chunks; a digest that differs from the manifest's is noted. Raises _Broken."""
        self.versions.add(manifest.version)
        chunks = (
            self._initial_chunks(manifest, indices) if manifest.version == 0 else self._aggregated(manifest, indices)
        )
        for index, chunk in chunks:
            if sha256(chunk).digest() != manifest.chunks[index].sha256:
                self._note(f"version {manifest.version}, chunk {index}: other bytes than the manifest's digest")
            yield index, chunk

    def _initial_chunks(self, manifest: ModelManifest, indices: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """Version 0 rests on nothing but the operator's signature: it is read, or made again from its seed."""
        self._check_digest(manifest)
        for index in indices:
            try:
                yield index, self._log.model_chunks([_position(manifest.chunks[index])])[0]
            except ChunkUnavailable:
                if self._initial is None:
                    raise
                if self._initial_model is None:
                    self._initial_model = self._initial(manifest)
                first = index * manifest.chunk_elements
                yield index, self._initial_model[first : first + manifest.chunk_elements].astype("<f4").tobytes()

    def _aggregated(self, manifest: ModelManifest, indices: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        parent = self._manifests.get(manifest.parent_version)
        if parent is None or parent.version >= manifest.version or parent.model_digest != manifest.parent_digest:
            self._note(f"version {manifest.version}: its parent is not version {manifest.parent_version} as published")
            raise _Broken
        if manifest.version not in self._selected:
            self._selected[manifest.version] = self._select(manifest, parent)
        updates = self._selected[manifest.version]
        total_weight = sum(update.record.weight for update in updates)
        for batch, deltas in self._batches(manifest, updates, indices):
            base_chunks = dict(self._base(parent, batch))
            for index in batch:
                base = np.frombuffer(base_chunks[index], dtype="<f4")
                total = ChunkSum(base.size, manifest.fraction_bits)
                for update, delta in zip(updates, deltas[index], strict=True):
                    total.add(delta, update.record.weight)
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
        positions = [_position(manifest.chunks[index]) for index in indices]
        try:
            return list(self._log.model_chunks(positions))
        except ChunkUnavailable:
            if len(indices) == 1:
                return [None]
        return [chunk for index in indices for chunk in self._stored(manifest, [index])]

    def _compare_stored(self, manifest: ModelManifest, index: int, computed: bytes) -> None:
        (stored,) = self._stored(manifest, [index])
        if stored is not None and stored != computed:
            self._note(f"version {manifest.version}, chunk {index}: other bytes than those stored")

    def _select(self, manifest: ModelManifest, parent: ModelManifest) -> list[_Update]:
        """The version's selected updates, all its evidence checked. Raises _Broken."""
        self._check_digest(manifest)
        digests = [contribution.record_sha256 for contribution in manifest.contributions]
        if digests != sorted(set(digests)):
            self._note(
                f"version {manifest.version}: its contributions are not ordered by digest, or one is listed twice"
            )
        updates = self._updates(manifest, parent)
        rule = parse_rule(manifest.rule)
        weights = rule.select([update.record.weight for update in updates], self._gram(manifest, updates, rule)).weights
        for update, weight in zip(updates, weights, strict=True):
            contribution = update.contribution
            if (weight > 0) != contribution.selected or weight not in (0, contribution.weight):
                was = "selected" if contribution.selected else "left out"
                self._note(
                    f"version {manifest.version}: {contribution.participant} was {was}; the rule gives weight {weight}"
                )
        if sum(weights) != manifest.total_weight:
            self._note(
                f"version {manifest.version}: total weight {manifest.total_weight}; the rule gives {sum(weights)}"
            )
        return [update for update, weight in zip(updates, weights, strict=True) if weight > 0]

    def _check_digest(self, manifest: ModelManifest) -> None:
        if model_digest(chunk.sha256 for chunk in manifest.chunks) != manifest.model_digest:
            self._note(f"version {manifest.version}: its digest is not that of its chunks")

    def _gram(self, manifest: ModelManifest, updates: list[_Update], rule: Rule) -> npt.NDArray[np.float64] | None:
        if not rule.needs_measure:
            return None
        batches = self._batches(manifest, updates, range(len(manifest.chunks)))
        return total_gram(partial_gram(deltas[index]) for batch, deltas in batches for index in batch)

    def _updates(self, manifest: ModelManifest, parent: ModelManifest) -> list[_Update]:
        contributions = manifest.contributions
        raws = self._log.envelopes([(each.source_partition, each.source_offset) for each in contributions])
        updates = []
        for contribution, raw in zip(contributions, raws, strict=True):
            try:
                if sha256(raw).digest() != contribution.record_sha256:
                    raise ValueError("other bytes than the manifest's digest")
                record = self._unseal(raw, contribution.participant)
                _check_update(record, contribution, manifest, parent)
            except (ValueError, DecodeError, SignatureInvalid) as error:
                where = f"{contribution.source_partition}@{contribution.source_offset}"
                self._note(f"version {manifest.version}: update {where} of {contribution.participant}: {error}")
                continue
            updates.append(_Update(contribution, record))
        if len(updates) != len(contributions):
            raise _Broken
        return updates

    def _unseal(self, raw: bytes, participant: str) -> ModelUpdate:
        for key in self._log.public_keys(participant):
            try:
                return unseal(raw, ModelUpdate, key)
            except SignatureInvalid:
                continue
        raise SignatureInvalid("not signed by a key of this participant")

    def _batches(
        self, manifest: ModelManifest, updates: Sequence[_Update], indices: Sequence[int]
    ) -> Iterator[tuple[Sequence[int], dict[int, list[Float32]]]]:
        """(chunks, the N deltas of each), the next batch being read while one is worked on."""
        chunk_bytes = sum(update.bytes_per_element for update in updates) * manifest.chunk_elements
        size = max(1, self._batch_bytes // max(1, chunk_bytes))
        batches = [indices[first : first + size] for first in range(0, len(indices), size)]
        self._expected_bytes += sum(
            update.bytes_per_element * _length(manifest, index) for update in updates for index in indices
        )
        for batch, raws in _ahead(batches, lambda batch: self._read(manifest, updates, batch)):
            deltas: dict[int, list[Float32]] = {}
            for index in batch:
                deltas[index] = [
                    _delta(update, raw, manifest, index) for update, raw in zip(updates, raws[index], strict=True)
                ]
                self.update_bytes += sum(len(raw) for raw in raws[index])
            yield batch, deltas
            self._on_progress(self.update_bytes, self._expected_bytes)

    def _read(
        self, manifest: ModelManifest, updates: Sequence[_Update], batch: Sequence[int]
    ) -> dict[int, list[bytes]]:
        """For each chunk its N encoded deltas. Raises ChunkUnavailable if one is gone or is not the one referred to."""
        wanted = [(index, row) for index in batch for row, update in enumerate(updates) if update.record.inline is None]
        references = [updates[row].record.chunks[index] for index, row in wanted]
        found = dict(zip(wanted, self._log.update_chunks([_position(each) for each in references]), strict=True))
        for (index, row), reference in zip(wanted, references, strict=True):
            if sha256(found[index, row]).digest() != reference.sha256:
                raise ChunkUnavailable(
                    f"chunk {index} of {updates[row].contribution.participant} has other bytes than it signed"
                )
        return {
            index: [
                found[index, row] if update.record.inline is None else _inline(update, manifest, index)
                for row, update in enumerate(updates)
            ]
            for index in batch
        }


def _ahead(batches: Sequence[Sequence[int]], read: Callable[[Sequence[int]], T]) -> Iterator[tuple[Sequence[int], T]]:
    """Each batch with what was read of it; one read is always under way."""
    with ThreadPoolExecutor(1) as reader:
        reads = [reader.submit(read, batch) for batch in batches[:1]]
        for following, batch in enumerate(batches, start=1):
            current = reads.pop()
            result = current.result()
            reads += [reader.submit(read, next_batch) for next_batch in batches[following : following + 1]]
            yield batch, result


def _check_update(
    record: ModelUpdate, contribution: Contribution, manifest: ModelManifest, parent: ModelManifest
) -> None:
    """Raises ValueError when the update is not the one that the manifest says went in."""
    claimed = record.task, record.round, record.attempt, record.participant, record.update_id, record.weight
    if claimed != (
        manifest.task,
        manifest.round,
        manifest.attempt,
        contribution.participant,
        contribution.update_id,
        contribution.weight,
    ):
        raise ValueError("it is for another round, by another participant, or of another weight")
    if (record.base_version, record.base_digest) != (parent.version, parent.model_digest):
        raise ValueError("it was trained from another model")
    if record.layout_digest != layout_digest(manifest.layout):
        raise ValueError("it has another layout")
    size = encoding.get(record.encoding).bytes_per_element
    if record.inline is not None:
        lengths_fit = len(record.inline) == size * manifest.num_elements
    else:
        expected = [size * _length(manifest, index) for index in range(len(manifest.chunks))]
        lengths_fit = [chunk.length for chunk in record.chunks] == expected
    if not lengths_fit:
        raise ValueError("its chunks do not make up the model's elements")


def _position(reference: ChunkReference) -> tuple[int, int]:
    return reference.partition, reference.offset


def _length(manifest: ModelManifest, index: int) -> int:
    return chunk_length(index, manifest.num_elements, manifest.chunk_elements)


def _inline(update: _Update, manifest: ModelManifest, index: int) -> bytes:
    size, first = update.bytes_per_element, index * manifest.chunk_elements
    return (update.record.inline or b"")[first * size : (first + _length(manifest, index)) * size]


def _delta(update: _Update, raw: bytes, manifest: ModelManifest, index: int) -> Float32:
    codec = encoding.get(update.record.encoding)
    return codec.decode_chunk(raw, index * manifest.chunk_elements, manifest.layout, update.record.scales)
