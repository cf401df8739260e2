"""What a region's task has to do with its parent's round. Pure.

Sums of two federations are parts of one only if they are made alike: the same layout in the same chunks, the same
fraction bits, and bounds below that the parent's hold for.
"""

from __future__ import annotations

from fluvial.encoding.partial_sum import PartialSumDecoding
from fluvial.wire.records import ChunkReference, ModelManifest, Round, Task, WindowMode
from fluvial.wire.task_file import TaskFile
from fluvial.wire.terms import terms_of

SHARE_OF_TIME = 0.8
"""Of what the parent's round has left: the rest is for the sum and its way up."""


def check_task(task_file: TaskFile, parent: Round) -> None:
    """Raises ValueError that names everything by which the region's task file does not fit its parent's rounds."""
    limits, least = task_file.limits, terms_of(parent).participation.min_examples
    requirements = (
        (task_file.partial, "partial must be true"),
        (parent.window is WindowMode.SYNCHRONOUS, f"the parent's rounds are {parent.window.value.lower()}"),
        (PartialSumDecoding.name in parent.encodings, "the parent's task does not take the encoding partial_sum"),
        (task_file.chunk_elements == parent.chunk_elements, f"chunk_elements must be {parent.chunk_elements}"),
        (limits.fraction_bits == parent.fraction_bits, f"limits.fraction_bits must be {parent.fraction_bits}"),
        (limits.max_abs <= parent.max_abs, f"limits.max_abs must be at most {parent.max_abs}"),
        (
            parent.max_norm == 0.0 or 0.0 < limits.max_norm <= parent.max_norm,
            f"limits.max_norm must be at most {parent.max_norm}, and not 0",
        ),
        (task_file.participation.min_examples >= least, f"participation.min_examples must be at least {least}"),
        (
            task_file.target * limits.max_weight <= parent.max_weight,
            f"target * limits.max_weight must be at most {parent.max_weight}, the parent's max_weight",
        ),
    )
    wrong = [message for holds, message in requirements if not holds]
    if wrong:
        raise ValueError(f"the task {task_file.task} does not fit its parent {parent.task}: {'; '.join(wrong)}")


def pinned_as_above(task_file: TaskFile, above: Task | None) -> TaskFile:
    """The region's task with the digests that its parent's task pins: of the package and of weights that do not travel.

    above: the parent's task; None where its registry does not have it. Raises ValueError for another package.
    """
    if task_file.package is None or above is None:
        return task_file
    parent = TaskFile.model_validate_json(above.specification)
    if parent.package is None or parent.package.name != task_file.package.name:
        theirs = parent.package.name if parent.package else "none"
        raise ValueError(f"the task {task_file.task} has the package {task_file.package.name}, its parent {theirs}")
    if task_file.package.digest not in ("", parent.package.digest):
        raise ValueError(
            f"the task {task_file.task} pins the package {task_file.package.name} with digest "
            f"{task_file.package.digest}, its parent with {parent.package.digest}"
        )
    model = task_file.model.model_copy(update={"base_sha256": parent.model.base_sha256})
    return task_file.model_copy(update={"package": parent.package, "model": model})


def seconds_below(task_file: TaskFile, parent: Round, now_ms: int) -> float:
    """How long the region's round may take, so that its sum is in time above; 0 or less: it cannot be."""
    return min(task_file.deadline_seconds, SHARE_OF_TIME * (parent.deadline_ms - now_ms) / 1000)


def task_below(
    task_file: TaskFile, parent: Round, base_chunks: tuple[ChunkReference, ...], seconds: float, now_ms: int
) -> Task:
    """The region's task on the parent's base model, which lies in these chunks below.

    `rounds` is the number of the parent's round that is open, 0 once the parent's task has finished.
    """
    changes = {"rounds": parent.round, "deadline_seconds": seconds}
    return _task(task_file.model_copy(update=changes), parent, base_chunks, now_ms)


def finished_task(task_file: TaskFile, parent: Round, base_chunks: tuple[ChunkReference, ...], now_ms: int) -> Task:
    """The region's task after the last round of its parent, on the parent's last model."""
    return _task(task_file.model_copy(update={"rounds": 0}), parent, base_chunks, now_ms)


def _task(task_file: TaskFile, parent: Round, base_chunks: tuple[ChunkReference, ...], now_ms: int) -> Task:
    return Task(
        task=task_file.task,
        specification=task_file.specification(),
        layout=parent.layout,
        base_version=parent.base_version,
        base_digest=parent.base_digest,
        base_chunks=base_chunks,
        created_ms=now_ms,
    )


def follows(task: Task, parent: Round) -> bool:
    """Whether the task as registered is that of the parent's round, on the same model."""
    number = TaskFile.model_validate_json(task.specification).rounds
    return (number, task.base_version, task.base_digest) == (parent.round, parent.base_version, parent.base_digest)


def wrong_with(manifest: ModelManifest, parent: Round) -> str:
    """Why the parent's round could not take the region's sum; empty if it can."""
    if manifest.layout != parent.layout or manifest.chunk_elements != parent.chunk_elements:
        return "it has another layout"
    if manifest.fraction_bits != parent.fraction_bits:
        return f"it has {manifest.fraction_bits} fraction bits, the parent's round has {parent.fraction_bits}"
    if not 1 <= manifest.total_weight <= parent.max_weight:
        return f"its weight is {manifest.total_weight}, the parent's limit is {parent.max_weight}"
    return ""
