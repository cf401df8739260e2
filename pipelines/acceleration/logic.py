"""Which models get variants, and what is recorded of them. Pure.

The newest version of a task is built; versions that were overtaken while another one was being built are passed over.
What the log holds variants of is not built again, whatever state is lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256

from fluvial.wire.acceleration import AccelerationSpec, VariantSpec
from fluvial.wire.canonical_json import canonical_json
from fluvial.wire.records import ChunkReference, Measurement, ModelManifest, Variant
from fluvial.wire.task_file import TaskFile
from models.acceleration.workshop import Product

WORKER = "aggregator"
"""Who signs what a worker of the cluster measured: the federation's service key, by its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The published model that variants are of. tuned: of a variant that rounds of fine-tuning made the model that it
    was built from, by task, version and digest."""

    task: str
    version: int
    model_digest: bytes
    tuned: Mapping[str, str | int] = field(default_factory=dict)


def source_of(manifest: ModelManifest, task_file: TaskFile) -> Source:
    """Whose variants come of a model: its own, or, where the task tunes a pruned model, those of the one pruned."""
    tunes = task_file.tunes
    if tunes is None:
        return Source(task=manifest.task, version=manifest.version, model_digest=manifest.model_digest)
    return Source(
        task=tunes.task,
        version=tunes.version,
        model_digest=bytes.fromhex(tunes.model_digest),
        tuned={"task": manifest.task, "version": manifest.version, "model_digest": manifest.model_digest.hex()},
    )


def ordered(task_file: TaskFile, spec: AccelerationSpec) -> list[VariantSpec]:
    """The variants that are built of a task's own models."""
    if task_file.tunes is None:
        return spec.built_at_once
    return [variant for variant in spec.variants if variant.name == task_file.tunes.variant]


def newest_built(variants: Iterable[Variant], task_file: TaskFile, spec: AccelerationSpec) -> int:
    """The newest version of a task whose variants there are; 0 for none. Of a task that tunes its last one."""
    tunes = task_file.tunes
    if tunes is None:
        return newest_complete(variants, task_file.task, spec)
    made = tunes.task, tunes.version, tunes.variant
    return task_file.rounds if any((each.task, each.version, each.name) == made for each in variants) else 0


def newest_complete(variants: Iterable[Variant], task: str, spec: AccelerationSpec) -> int:
    """The newest version of a task of which there is every variant that its terms name; 0 for none. Others are built
    again, to the same bytes where their recipe is deterministic."""
    found: dict[int, set[str]] = {}
    for variant in variants:
        if variant.task == task:
            found.setdefault(variant.version, set()).add(variant.name)
    wanted = {variant.name for variant in spec.built_at_once}
    return max((version for version, names in found.items() if wanted <= names), default=0)


def is_due(spec: AccelerationSpec, version: int, task_file: TaskFile) -> bool:
    """Whether a version gets variants: every so many, and a task's last one; of a task that tunes the last alone."""
    return version == task_file.rounds or (task_file.tunes is None and version % spec.every == 0)


def variant_record(
    source: Source,
    spec: AccelerationSpec,
    product: Product,
    chunks: tuple[ChunkReference, ...],
    now_ms: int,
) -> Variant:
    """What topic `variants` says of a product."""
    wanted = spec.variant(product.name)
    recipe = {} if wanted is None else {"recipe": wanted.recipe, "parameters": wanted.parameters}
    tuned = {"tuned": dict(source.tuned)} if source.tuned else {}
    return Variant(
        task=source.task,
        version=source.version,
        model_digest=source.model_digest,
        name=product.name,
        recipe=canonical_json({**recipe, **tuned}),
        builders=canonical_json(product.builders),
        calibration_sha256=bytes.fromhex(product.calibration_sha256),
        artefact_sha256=bytes.fromhex(product.artefact_sha256) or sha256(b"").digest(),
        artefact_bytes=product.artefact_bytes,
        deterministic=product.deterministic,
        chunks=chunks,
        failure=product.failure,
        created_ms=now_ms,
    )


def measurement_record(source: Source, product: Product, now_ms: int) -> Measurement | None:
    """What the worker measured of a product; None of a failure."""
    measured = product.measured
    if measured is None:
        return None
    return Measurement(
        task=source.task,
        version=source.version,
        variant=product.name,
        artefact_sha256=bytes.fromhex(product.artefact_sha256),
        measurer=WORKER,
        data="gate",
        data_sha256=bytes.fromhex(measured.data_sha256),
        runtime=measured.runtime,
        processor=measured.processor,
        threads=measured.threads,
        num_examples=measured.num_examples,
        counts=measured.counts,
        drops=measured.drops,
        **asdict(measured.timing),
        measured_ms=now_ms,
    )
