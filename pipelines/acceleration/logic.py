"""Which models get variants, and what is recorded of them. Pure.

The newest version of a task is built; versions that were overtaken while another one was being built are passed over.
What the log holds variants of is not built again, whatever state is lost.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from hashlib import sha256

from fluvial.wire.acceleration import AccelerationSpec
from fluvial.wire.canonical_json import canonical_json
from fluvial.wire.records import ChunkReference, Measurement, ModelManifest, Variant
from models.acceleration.workshop import Product

WORKER = "aggregator"
"""Who signs what a worker of the cluster measured: the federation's service key, by its name."""


def newest_complete(variants: Iterable[Variant], task: str, spec: AccelerationSpec) -> int:
    """The newest version of a task of which there is every variant that its terms name; 0 for none. Others are built
    again, to the same bytes where their recipe is deterministic."""
    found: dict[int, set[str]] = {}
    for variant in variants:
        if variant.task == task:
            found.setdefault(variant.version, set()).add(variant.name)
    wanted = {variant.name for variant in spec.variants}
    return max((version for version, names in found.items() if wanted <= names), default=0)


def is_due(spec: AccelerationSpec, version: int, rounds: int) -> bool:
    """Whether a version gets variants. rounds: of the task, 0 where it has no end; its last version always does."""
    return version % spec.every == 0 or version == rounds


def variant_record(
    manifest: ModelManifest,
    spec: AccelerationSpec,
    product: Product,
    chunks: tuple[ChunkReference, ...],
    now_ms: int,
) -> Variant:
    """What topic `variants` says of a product."""
    wanted = spec.variant(product.name)
    recipe = {} if wanted is None else {"recipe": wanted.recipe, "parameters": wanted.parameters}
    return Variant(
        task=manifest.task,
        version=manifest.version,
        model_digest=manifest.model_digest,
        name=product.name,
        recipe=canonical_json(recipe),
        builders=canonical_json(product.builders),
        calibration_sha256=bytes.fromhex(product.calibration_sha256),
        artefact_sha256=bytes.fromhex(product.artefact_sha256) or sha256(b"").digest(),
        artefact_bytes=product.artefact_bytes,
        deterministic=product.deterministic,
        chunks=chunks,
        failure=product.failure,
        created_ms=now_ms,
    )


def measurement_record(manifest: ModelManifest, product: Product, now_ms: int) -> Measurement | None:
    """What the worker measured of a product; None of a failure."""
    measured = product.measured
    if measured is None:
        return None
    return Measurement(
        task=manifest.task,
        version=manifest.version,
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
        drops=(),
        **asdict(measured.timing),
        measured_ms=now_ms,
    )
