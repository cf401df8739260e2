"""The records that a task's terms make of a model: its rounds and manifests, and whether they can be written. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from fluvial.wire.framing import MAX_RECORD_BYTES, encode
from fluvial.wire.layout import chunk_length, layout_digest, model_digest, num_chunks, num_elements
from fluvial.wire.records import (
    AcceptedUpdate,
    ChunkReference,
    Contribution,
    ModelManifest,
    Round,
    RoundStatus,
    Task,
    TensorLayout,
    WindowMode,
)
from fluvial.wire.sampling import round_seed
from fluvial.wire.task_file import TaskFile
from fluvial.wire.terms import terms_text
from pipelines.aggregation.rounds import terms

_ENVELOPE_BYTES = 4096
"""More than a record's signature, key and Kafka's own fields add to it."""
_LONGEST_NAME = "n" * 128
_LARGEST = (1 << 63) - 1
_LARGEST_INT = (1 << 31) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model that rounds start from: where its chunks lie, and its optimizer's moments. digest: 32 bytes."""

    layout: tuple[TensorLayout, ...]
    version: int
    digest: bytes
    chunks: tuple[ChunkReference, ...]
    optimizer_chunks: tuple[ChunkReference, ...] = ()


def round_record(
    task_file: TaskFile, model: Model, *, number: int, attempt: int, status: RoundStatus, now_ms: int
) -> Round:
    """A round under these terms that starts from this model."""
    return Round(
        task=task_file.task,
        round=number,
        attempt=attempt,
        status=status,
        base_version=model.version,
        base_digest=model.digest,
        base_chunks=model.chunks,
        layout=model.layout,
        layout_digest=layout_digest(model.layout),
        num_elements=num_elements(model.layout),
        chunk_elements=task_file.chunk_elements,
        opened_ms=now_ms,
        deadline_ms=terms.deadline_ms(task_file, now_ms),
        quorum=task_file.quorum,
        target=task_file.target,
        max_abs=task_file.limits.max_abs,
        max_norm=task_file.limits.max_norm,
        max_weight=task_file.limits.max_weight,
        fraction_bits=terms.fraction_bits(task_file),
        kept_versions=task_file.kept_versions,
        rule=terms.rule_json(task_file),
        server_optimizer=terms.server_optimizer_json(task_file),
        optimizer_chunks=model.optimizer_chunks,
        window=WindowMode(task_file.window.mode.upper()),
        grace_ms=int(task_file.window.grace_seconds * 1000),
        max_staleness=task_file.window.max_staleness,
        staleness=terms.staleness_json(task_file),
        seed=round_seed(task_file.task, number, attempt, model.digest),
        invited_fraction=task_file.sampling.invited_fraction,
        partial=task_file.partial,
        encodings=tuple(task_file.encodings),
        agreement=task_file.agreement.name if task_file.agreement else "",
        training=json.dumps(task_file.training.model_dump(mode="json"), sort_keys=True),
        terms=terms_text(task_file),
    )


def manifest(
    task_file: TaskFile,
    parent: Model,
    *,
    number: int,
    attempt: int,
    contributions: tuple[Contribution, ...],
    total_weight: int,
    chunks: tuple[ChunkReference, ...],
    optimizer_chunks: tuple[ChunkReference, ...],
    now_ms: int,
    fraction_bits: int | None = None,
) -> ModelManifest:
    """What a round made of its parent: the next version; of a partial task the exact sum, by the round's number.

    fraction_bits: those that the round announced, where they are known.
    """
    return ModelManifest(
        task=task_file.task,
        version=number if task_file.partial else parent.version + 1,
        parent_version=parent.version,
        parent_digest=parent.digest,
        round=number,
        attempt=attempt,
        rule=terms.rule_json(task_file),
        server_optimizer=terms.server_optimizer_json(task_file),
        staleness=terms.staleness_json(task_file),
        fraction_bits=terms.fraction_bits(task_file) if fraction_bits is None else fraction_bits,
        total_weight=total_weight,
        layout=parent.layout,
        num_elements=num_elements(parent.layout),
        chunk_elements=task_file.chunk_elements,
        chunks=chunks,
        optimizer_chunks=optimizer_chunks,
        model_digest=model_digest([chunk.sha256 for chunk in chunks]),
        contributions=contributions,
        partial=task_file.partial,
        created_ms=now_ms,
        terms=terms_text(task_file),
    )


def first_manifest(
    task_file: TaskFile, layout: tuple[TensorLayout, ...], chunks: tuple[ChunkReference, ...], *, now_ms: int
) -> ModelManifest:
    """Version 0, which the operator publishes and no round has made."""
    return ModelManifest(
        task=task_file.task,
        version=0,
        parent_version=-1,
        parent_digest=b"",
        round=0,
        attempt=0,
        rule=terms.rule_json(task_file),
        server_optimizer="",
        staleness="",
        optimizer_chunks=(),
        partial=False,
        fraction_bits=terms.fraction_bits(task_file),
        total_weight=0,
        layout=layout,
        num_elements=num_elements(layout),
        chunk_elements=task_file.chunk_elements,
        chunks=chunks,
        model_digest=model_digest(chunk.sha256 for chunk in chunks),
        contributions=(),
        created_ms=now_ms,
    )


def first_task(task_file: TaskFile, manifest: ModelManifest) -> Task:
    """The record of a new task that starts from this version 0."""
    return Task(
        task=task_file.task,
        specification=task_file.specification(),
        layout=manifest.layout,
        base_version=manifest.version,
        base_digest=manifest.model_digest,
        base_chunks=manifest.chunks,
        created_ms=manifest.created_ms,
    )


def contributions(updates: Sequence[AcceptedUpdate], effective_weights: Sequence[int]) -> tuple[Contribution, ...]:
    """What the manifest says of a round's updates, of which the rule made so much."""
    return tuple(
        Contribution(
            participant=update.participant,
            update_id=update.update_id,
            source_partition=update.source_partition,
            source_offset=update.source_offset,
            record_sha256=update.record_sha256,
            weight=update.weight,
            selected=weight > 0,
            effective_weight=weight,
            round=update.round,
        )
        for update, weight in zip(updates, effective_weights, strict=True)
    )


def base_of(round_: Round) -> Model:
    """The model that a round starts from."""
    return Model(
        layout=round_.layout,
        version=round_.base_version,
        digest=round_.base_digest,
        chunks=round_.base_chunks,
        optimizer_chunks=round_.optimizer_chunks,
    )


def model_of(manifest: ModelManifest) -> Model:
    """The model that a manifest describes, for the next round to start from."""
    return Model(
        layout=manifest.layout,
        version=manifest.version,
        digest=manifest.model_digest,
        chunks=manifest.chunks,
        optimizer_chunks=manifest.optimizer_chunks,
    )


def check(task_file: TaskFile, layout: Sequence[TensorLayout]) -> None:
    """Raises ValueError that says why rounds and models of the task could not be made or written.

    Every record that the job will make of these terms is made here once, in the largest form that it can take.
    """
    terms.check(task_file)
    elements = num_elements(layout)
    of_model = num_chunks(elements, task_file.chunk_elements)
    of_moments = of_model * len(terms.moments(task_file))
    if not elements:
        raise ValueError("the model has no elements")
    # Long before a record is full, so that counting to it costs nothing.
    if of_model + of_moments > MAX_RECORD_BYTES // 32:
        raise _too_large(task_file, elements, of_model + of_moments)
    chunk = ChunkReference(partition=_LARGEST_INT, offset=_LARGEST, length=_LARGEST_INT, sha256=bytes(32))
    model = Model(
        layout=tuple(layout),
        version=_LARGEST // 2,
        digest=bytes(32),
        chunks=(chunk,) * of_model,
        optimizer_chunks=(chunk,) * of_moments,
    )
    largest = {"number": _LARGEST_INT, "attempt": _LARGEST_INT, "now_ms": _LARGEST // 2}
    opened = encode(round_record(task_file, model, status=RoundStatus.FINISHED, **largest))
    if len(opened) > MAX_RECORD_BYTES - _ENVELOPE_BYTES:
        raise _too_large(task_file, elements, of_model + of_moments)
    made = manifest(
        task_file,
        model,
        contributions=(),
        total_weight=_LARGEST,
        chunks=model.chunks,
        optimizer_chunks=model.optimizer_chunks,
        **largest,
    )
    taken = len(encode(made))
    each = len(encode(replace(made, contributions=(_LARGEST_CONTRIBUTION,)))) - taken
    room = (MAX_RECORD_BYTES - _ENVELOPE_BYTES - taken) // each
    if room < task_file.target:
        raise ValueError(
            f"target is {task_file.target}, but the manifest of a model is one record of {MAX_RECORD_BYTES >> 20} MiB "
            f"and has room for {max(room, 0)} updates beside the model's {of_model + of_moments} chunks"
        )


def check_model(task_file: TaskFile, model: Model) -> None:
    """Raises ValueError unless the chunks are those of a model of this layout, in chunks as the task file has them."""
    elements, size = num_elements(model.layout), task_file.chunk_elements
    if len(model.chunks) != num_chunks(elements, size):
        raise ValueError(
            f"the base model has {len(model.chunks)} chunks, but its layout has {elements} elements: "
            f"{num_chunks(elements, size)} chunks of up to {size}"
        )
    for index, chunk in enumerate(model.chunks):
        if chunk.length != 4 * chunk_length(index, elements, size) or chunk.partition < 0 or chunk.offset < 0:
            raise ValueError(f"chunk {index} of the base model is not one of {size} float32 elements")
    if not 0 <= model.version <= _LARGEST // 2:
        raise ValueError(f"the base model's version is {model.version}")
    if model_digest([chunk.sha256 for chunk in model.chunks]) != model.digest:
        raise ValueError("the base model's digest is not that of its chunks")


def _too_large(task_file: TaskFile, num_elements: int, num_chunks: int) -> ValueError:
    return ValueError(
        f"the model has {num_elements:,} elements ({4 * num_elements / 1e6:,.1f} MB), and chunk_elements is "
        f"{task_file.chunk_elements}: with its optimizer's moments that is {num_chunks} chunks, too many for a round, "
        f"which is one record of {MAX_RECORD_BYTES >> 20} MiB"
    )


_LARGEST_CONTRIBUTION = Contribution(
    participant=_LONGEST_NAME,
    update_id=_LONGEST_NAME,
    source_partition=_LARGEST_INT,
    source_offset=_LARGEST,
    record_sha256=bytes(32),
    weight=_LARGEST,
    selected=True,
    effective_weight=_LARGEST,
    round=_LARGEST,
)
