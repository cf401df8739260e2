"""The model as it would be without some participants, and what difference that makes.

The rounds are computed again without their updates: the rule decides anew, from what is left; divisors, moments and
everything after follow. What cannot be known stays as it was: the others' updates. In one round that is exact, because
participants of a round do not see each other; over a chain of rounds it says what the aggregation would have made of
the same updates, not what would have been trained from other models. In asynchronous windows the others might have
fallen into other rounds; that, too, stays as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fluvial.wire.errors import VerificationError
from fluvial.wire.records import ModelManifest
from pipelines.replay.aggregate import Aggregate, State
from pipelines.replay.deltas import Deltas
from pipelines.replay.evidence import ReplayLog
from pipelines.replay.recompute import MEMORY_BYTES, Progress
from pipelines.replay.versions import Broken, Initial, Versions

Metrics = Callable[[npt.NDArray[np.float32]], Mapping[str, float]]
"""Measures a flat model, float32[D]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterfactual:
    """A version without some participants. versions: computed again, and of each how many updates were left.

    distance: L2 norm of its difference to the published version; step: of the published version to the one that the
    first of `versions` was made from. below_quorum: versions that would have had too few updates, where the quorum is
    known. metrics_before, metrics_after: of the published model and of the counterfactual one; None without an
    evaluation set.
    """

    task: str
    version: int
    without: tuple[str, ...]
    versions: tuple[int, ...]
    updates_left: tuple[int, ...]
    updates_left_out: tuple[int, ...]
    below_quorum: tuple[int, ...]
    distance: float
    step: float
    metrics_before: Mapping[str, float] | None
    metrics_after: Mapping[str, float] | None


def counterfactual(
    log: ReplayLog,
    task: str,
    version: int,
    without: Collection[str],
    *,
    first: int | None = None,
    quorum: int = 1,
    metrics: Metrics | None = None,
    initial: Initial | None = None,
    on_progress: Progress = lambda done, total: None,
    memory_bytes: int = MEMORY_BYTES,
) -> Counterfactual:
    """Compute a version again without participants, and compare.

    first: the version from which on they are left out; by default only the version itself is computed anew, from its
    parent as published. Raises ValueError when there is no such version, when none of them took part, and when a model
    could not have been made without them; VerificationError when the evidence does not hold, ChunkUnavailable when it
    is gone. Holds the model and its moments in memory.
    """
    manifests = log.manifests(task)
    chain = _chain(manifests, task, version, version if first is None else first)
    taking_part = {each.participant for manifest in chain for each in manifest.contributions}
    if absent := sorted(set(without) - taking_part):
        raise ValueError(f"{', '.join(absent)} took no part; {', '.join(sorted(taking_part))} did")
    deltas = Deltas(log, on_progress)
    versions = Versions(log, manifests, deltas, initial, memory_bytes)
    try:
        parent = versions.parent(chain[0])
        everything = range(len(parent.chunks))
        began = versions.state(parent, everything)
        published = _vector(versions.state(chain[-1], everything))
        states, left = began, []
        for manifest in chain:
            states, remaining = _without(versions, manifest, frozenset(without), deltas, memory_bytes, states)
            left.append(remaining)
    except Broken as error:
        raise VerificationError("; ".join(versions.differs)) from error
    if versions.differs:
        raise VerificationError("; ".join(versions.differs))
    vector = _vector(states)
    return Counterfactual(
        task=task,
        version=version,
        without=tuple(sorted(without)),
        versions=tuple(manifest.version for manifest in chain),
        updates_left=tuple(left),
        updates_left_out=tuple(
            len(manifest.contributions) - remaining for manifest, remaining in zip(chain, left, strict=True)
        ),
        below_quorum=tuple(
            manifest.version for manifest, remaining in zip(chain, left, strict=True) if remaining < quorum
        ),
        distance=_norm(vector, published),
        step=_norm(published, _vector(began)),
        metrics_before=None if metrics is None else dict(metrics(published)),
        metrics_after=None if metrics is None else dict(metrics(vector)),
    )


def _chain(manifests: Mapping[int, ModelManifest], task: str, version: int, first: int) -> Sequence[ModelManifest]:
    """The versions from `first` to `version`, each the parent of the next."""
    if version not in manifests or version < 1 or not 1 <= first <= version:
        highest = max(manifests, default=0)
        raise ValueError(f"{task} has no versions {first} to {version} that updates made: it has 1 to {highest}")
    chain = [manifests[version]]
    while chain[0].version > first:
        parent = manifests.get(chain[0].parent_version)
        if parent is None or parent.version < first:
            raise ValueError(f"version {chain[0].version} of {task} does not descend from version {first}")
        chain.insert(0, parent)
    if any(manifest.partial for manifest in chain):
        raise ValueError(f"{task} publishes the sums of a region; leave participants out of the parent federation")
    return chain


def _without(
    versions: Versions,
    manifest: ModelManifest,
    without: frozenset[str],
    deltas: Deltas,
    memory_bytes: int,
    began: Mapping[int, State],
) -> tuple[dict[int, State], int]:
    """The version's state without the participants, from this state of its parent; how many updates were left."""
    updates = [each for each in versions.updates(manifest) if each.contribution.participant not in without]
    if not updates:
        raise ValueError(f"version {manifest.version} could not have been made: no update is left")
    aggregate = Aggregate(manifest, updates, deltas, memory_bytes)
    try:
        plan = aggregate.plan()
    except ValueError as error:
        raise ValueError(f"version {manifest.version} could not have been made: {error}") from error
    indices = range(len(manifest.chunks))
    return dict(aggregate.states(plan, indices, lambda band: {index: began[index] for index in band})), len(updates)


def _vector(states: Mapping[int, State]) -> npt.NDArray[np.float32]:
    """The flat model float32[D] of a version's states."""
    return np.concatenate([states[index][0] for index in sorted(states)])


def _norm(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> float:
    return float(np.linalg.norm(one.astype(np.float64) - other))
