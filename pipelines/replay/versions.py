"""Versions of a task, computed again where the log no longer holds them, and compared where it does.

A version is computed band by band from its parent: the stored chunks where they are still there and right, otherwise
the parent is computed in the same way, down to version 0, which rests on the operator's signature or its seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256

import numpy as np
import numpy.typing as npt

from fluvial.wire.errors import ChunkUnavailable
from fluvial.wire.records import ChunkReference, ModelManifest
from models.aggregation.plan import Plan
from models.aggregation.server_optimizer import parse_server_optimizer
from pipelines.replay.aggregate import Aggregate, State
from pipelines.replay.deltas import Deltas
from pipelines.replay.evidence import Note, ReplayLog, Update, read_updates

_MAX_DIFFERENCES = 100

Initial = Callable[[ModelManifest], npt.NDArray[np.float32]]
"""The initial model of a task, float32[num_elements], from its seed. Raises ChunkUnavailable where there is none."""


class Broken(Exception):
    """The evidence for a version does not hold, so that there is nothing to compute."""


class Versions:
    """A task's versions: what was found of them so far, in words, and whose evidence has been checked."""

    def __init__(
        self,
        log: ReplayLog,
        manifests: Mapping[int, ModelManifest],
        deltas: Deltas,
        initial: Initial | None,
        memory_bytes: int,
    ) -> None:
        self._log, self._manifests, self._deltas = log, manifests, deltas
        self._initial, self._memory = initial, memory_bytes
        self._rounds: dict[int, tuple[Aggregate, Plan]] = {}
        self._initial_model: npt.NDArray[np.float32] | None = None
        self.differs: list[str] = []
        self.computed: set[int] = set()

    def note(self, manifest: ModelManifest) -> Note:
        """Takes what differs from the manifest."""

        def note(message: str) -> None:
            if len(self.differs) < _MAX_DIFFERENCES:
                self.differs.append(f"version {manifest.version}: {message}")

        return note

    def parent(self, manifest: ModelManifest) -> ModelManifest:
        """The version that it was computed from. Raises Broken if it is not as published."""
        parent = self._manifests.get(manifest.parent_version)
        if parent is None or parent.version >= manifest.version or parent.model_digest != manifest.parent_digest:
            self.note(manifest)(f"its parent is not version {manifest.parent_version} as published")
            raise Broken
        return parent

    def updates(self, manifest: ModelManifest) -> list[Update]:
        """The version's updates, all their evidence checked. Raises Broken."""
        updates = list(read_updates(self._log, manifest, self._manifests, self.note(manifest)))
        if len(updates) != len(manifest.contributions):
            raise Broken
        return updates

    def compute(self, manifest: ModelManifest, indices: Sequence[int]) -> Iterator[tuple[int, tuple[bytes, ...]]]:
        """(chunk, its bytes and those of the moments), in order; what is not the manifest's is noted. Raises Broken."""
        self.computed.add(manifest.version)
        states = self._first(manifest, indices) if manifest.version == 0 else self._aggregated(manifest, indices)
        for index, chunks in states:
            for number, (chunk, reference) in enumerate(zip(chunks, references(manifest, index), strict=True)):
                if sha256(chunk).digest() != reference.sha256:
                    self.note(manifest)(f"{_name(number, index)} does not have the manifest's digest")
            yield index, chunks

    def state(self, manifest: ModelManifest, indices: Sequence[int]) -> dict[int, State]:
        """The version's chunks and moments, stored or computed. Raises Broken, ChunkUnavailable."""
        wanted = [reference for index in indices for reference in references(manifest, index)]
        found = dict(zip([each.sha256 for each in wanted], self.stored(wanted), strict=True))
        states: dict[int, State] = {}
        missing = []
        for index in indices:
            chunks = [found[reference.sha256] for reference in references(manifest, index)]
            whole = [chunk for chunk in chunks if chunk is not None]
            if len(whole) == len(chunks) and all(
                sha256(chunk).digest() == reference.sha256
                for chunk, reference in zip(whole, references(manifest, index), strict=True)
            ):
                states[index] = _arrays(whole)
            else:
                missing.append(index)
        if missing:
            states |= {index: _arrays(chunks) for index, chunks in self.compute(manifest, missing)}
        return states

    def stored(self, wanted: Sequence[ChunkReference]) -> list[bytes | None]:
        """The chunks as they lie in the log, None where the slot has been used again."""
        try:
            return list(self._log.model_chunks([(chunk.partition, chunk.offset) for chunk in wanted]))
        except ChunkUnavailable:
            if len(wanted) == 1:
                return [None]
        middle = len(wanted) // 2
        return self.stored(wanted[:middle]) + self.stored(wanted[middle:])

    def _first(self, manifest: ModelManifest, indices: Sequence[int]) -> Iterator[tuple[int, tuple[bytes, ...]]]:
        """Version 0 is read, or made again from its seed."""
        size = max(1, self._memory // (4 * manifest.chunk_elements))
        for start in range(0, len(indices), size):
            batch = indices[start : start + size]
            for index, chunk in zip(batch, self.stored([manifest.chunks[index] for index in batch]), strict=True):
                yield index, (self._made_again(manifest, index) if chunk is None else chunk,)

    def _made_again(self, manifest: ModelManifest, index: int) -> bytes:
        if self._initial is None:
            raise ChunkUnavailable(f"version 0, chunk {index}: the slot has been used again")
        if self._initial_model is None:
            self._initial_model = self._initial(manifest)
        first = index * manifest.chunk_elements
        return self._initial_model[first : first + manifest.chunk_elements].astype("<f4").tobytes()

    def _aggregated(self, manifest: ModelManifest, indices: Sequence[int]) -> Iterator[tuple[int, tuple[bytes, ...]]]:
        parent = None if manifest.partial else self.parent(manifest)
        if manifest.version not in self._rounds:
            self._rounds[manifest.version] = self._planned(manifest)
        aggregate, plan = self._rounds[manifest.version]
        if parent is None:
            for index, total in aggregate.sums(plan, indices):
                yield index, (total.astype("<i8", copy=False).tobytes(),)
            return
        for index, state in aggregate.states(plan, indices, lambda band: self.state(parent, band)):
            yield index, tuple(values.astype("<f4", copy=False).tobytes() for values in state)

    def _planned(self, manifest: ModelManifest) -> tuple[Aggregate, Plan]:
        """The rule's plan, compared with what the manifest says. Raises Broken if the rule cannot decide."""
        note, updates = self.note(manifest), self.updates(manifest)
        aggregate = Aggregate(manifest, updates, self._deltas, self._memory)
        try:
            plan = aggregate.plan()
        except ValueError as error:
            note(f"the rule cannot decide on its contributions: {error}")
            raise Broken from error
        for update, weight in zip(updates, plan.effective_weights, strict=True):
            contribution = update.contribution
            if contribution.selected != (weight > 0):
                was = "selected" if contribution.selected else "left out"
                note(f"{contribution.participant} was {was}; the rule gives the weight {weight}")
            elif contribution.effective_weight != weight:
                note(
                    f"{contribution.participant} has the effective weight {contribution.effective_weight}; the rule "
                    f"gives {weight}"
                )
        if plan.divisor != manifest.total_weight:
            note(f"total weight {manifest.total_weight}; the rule gives {plan.divisor}")
        return aggregate, plan


def references(manifest: ModelManifest, index: int) -> list[ChunkReference]:
    """Where chunk `index` of the version lies, and that chunk of each of its optimizer's moments.

    Raises ValueError if the manifest does not list what its optimizer keeps.
    """
    optimizer = parse_server_optimizer(manifest.server_optimizer)
    num_chunks = len(manifest.chunks)
    num_moments = len(optimizer.moments) if optimizer is not None and manifest.version > 0 else 0
    if len(manifest.optimizer_chunks) != num_moments * num_chunks:
        raise ValueError(f"version {manifest.version} lists {len(manifest.optimizer_chunks)} chunks of moments")
    return [
        manifest.chunks[index],
        *(manifest.optimizer_chunks[number * num_chunks + index] for number in range(num_moments)),
    ]


def _name(number: int, index: int) -> str:
    return f"chunk {index}" if number == 0 else f"chunk {index} of moment {number}"


def _arrays(chunks: Sequence[bytes]) -> State:
    return tuple(np.frombuffer(chunk, dtype="<f4") for chunk in chunks)
