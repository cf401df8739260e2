"""A recorded variant, built and measured again with nothing but what the log, the checkout and a package hold."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fluvial.edge.host import Host
from fluvial.edge.manifests import read_manifests
from fluvial.edge.models import load_model
from fluvial.edge.packages import Packages
from fluvial.edge.registry import Registry
from fluvial.edge.sessions import open_session
from fluvial.edge.training.task_code import TaskCode
from fluvial.identity.federation import Federation
from fluvial.inference.read_releases import read_releases
from fluvial.kafka import Transport
from fluvial.wire.acceleration import AccelerationSpec
from fluvial.wire.errors import FluvialError
from fluvial.wire.records import Measurement, ModelManifest, Variant
from fluvial.wire.task_file import TaskFile
from governance.promotion.measurements import GATE
from models.acceleration.bench import Bench, differences, outputs_of
from models.acceleration.example_sets import ExampleSet, load_set
from models.acceleration.pruning import pruned_model
from models.acceleration.rebuilding import Rebuilt, rebuild


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """rebuilt: beside the recorded bytes. tuned_by: the task whose rounds made the model; empty for the published one.
    measured: in words, whether it was measured again. differences: of the two measurements, in words."""

    rebuilt: Rebuilt
    tuned_by: str
    measured: str
    differences: tuple[str, ...]

    @property
    def good(self) -> bool:
        """Whether the record holds, as far as it could be looked at here."""
        return self.rebuilt.verified and not self.differences


def verified(
    transport: Transport,
    federation: Federation,
    registry: Registry,
    variant: Variant,
    packages: Packages,
    root: Path,
) -> Verified:
    """Build and measure a variant again. root: the checkout that data files are relative to. Raises FluvialError where
    the log does not have what it was made of, and where its rounds of fine-tuning did not begin with the pruned model;
    ValueError where the checkout's sets do not fit."""
    log = _Log(transport, federation, registry, packages, root)
    task_file = log.task_file(variant.task)
    if task_file.acceleration is None:
        raise FluvialError(f"the terms of {variant.task} name no variants")
    published = log.model(log.manifest(variant.task, variant.version, variant.model_digest.hex()))
    code = log.code(task_file)
    tuned = json.loads(variant.recipe).get("tuned")
    built_of, model, by = (code, published, "") if tuned is None else log.tuned(variant, tuned, task_file, published)
    places = [(chunk.partition, chunk.offset) for chunk in variant.chunks]
    artefact = b"".join(transport.fetch(federation.topics.variant_blobs, places)) if places else b""
    calibration = load_set(code, task_file.acceleration.calibration)
    if calibration.sha256 != variant.calibration_sha256 and (variant.calibration_sha256 or not variant.failure):
        raise FluvialError(f"{task_file.acceleration.calibration} is not what the variant was calibrated with")
    rebuilt = rebuild(variant, artefact, state=built_of.state(), model=model, calibration=calibration.inputs)
    recorded = _recorded(transport, federation, variant)
    measured = "nothing was recorded on this class of processors and runtime"
    found = _not_as_the_terms_say(variant, task_file.acceleration, artefact)
    if artefact and recorded:
        measured, others = _measured_again(code, task_file.acceleration, published, artefact, variant, recorded)
        found += others
    return Verified(rebuilt=rebuilt, tuned_by=by, measured=measured, differences=found)


def _not_as_the_terms_say(variant: Variant, spec: AccelerationSpec, artefact: bytes) -> tuple[str, ...]:
    """Where the record is not of what the task's terms name, or not of these bytes, in words."""
    wanted, recipe, found = spec.variant(variant.name), json.loads(variant.recipe), []
    if wanted is None:
        found.append(f"the terms name no variant {variant.name}")
    elif (recipe.get("recipe"), recipe.get("parameters")) != (wanted.recipe, wanted.parameters):
        found.append(f"the terms want {wanted.recipe} {wanted.parameters}, the record says {variant.recipe}")
    if variant.artefact_bytes != len(artefact):
        found.append(f"{variant.artefact_bytes} bytes are recorded, there are {len(artefact)}")
    first = 0
    for number, chunk in enumerate(variant.chunks):
        if sha256(artefact[first : first + chunk.length]).digest() != chunk.sha256:
            found.append(f"chunk {number} has other bytes than its digest says: nobody could load it")
        first += chunk.length
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Log:
    transport: Transport
    federation: Federation
    registry: Registry
    packages: Packages
    root: Path

    def task_file(self, task: str) -> TaskFile:
        record = self.registry.task(task)
        if record is None:
            raise FluvialError(f"the registry has no task {task}")
        return TaskFile.model_validate_json(record.specification)

    def code(self, task_file: TaskFile) -> TaskCode:
        return TaskCode.of(task_file, self.packages, self.root)

    def manifest(self, task: str, version: int, digest: str) -> ModelManifest:
        for manifest in read_manifests(self.transport, self.federation):
            if (manifest.task, manifest.version) == (task, version):
                if manifest.model_digest.hex() != digest:
                    raise FluvialError(f"version {version} of {task} was published with another digest than {digest}")
                return manifest
        raise FluvialError(f"{task} has no version {version}")

    def model(self, manifest: ModelManifest) -> NDArray[np.float32]:
        topic = self.federation.topics.model_blobs
        return load_model(self.transport, topic, manifest.chunks, manifest.model_digest, manifest.num_elements)

    def tuned(
        self, variant: Variant, tuned: dict[str, Any], task_file: TaskFile, published: NDArray[np.float32]
    ) -> tuple[TaskCode, NDArray[np.float32], str]:
        """The code, the model and the name of the task whose rounds tuned the variant. Raises FluvialError unless they
        are the variant's, and began with what pruning leaves of the published model, to the bit."""
        name, version = str(tuned["task"]), int(tuned["version"])
        own = self.task_file(name)
        tunes = own.tunes
        if tunes is None or (tunes.task, tunes.version, tunes.model_digest, tunes.variant) != (
            variant.task,
            variant.version,
            variant.model_digest.hex(),
            variant.name,
        ):
            raise FluvialError(f"the task {name} does not tune {variant.name} of {variant.task}, {variant.version}")
        record = self.registry.task(name)
        assert record is not None
        first = pruned_model(self.code(task_file), published, tunes.fraction)
        began = self.model(self.manifest(name, 0, record.base_digest.hex()))
        if not np.array_equal(first, began):
            raise FluvialError(f"the rounds of {name} did not begin with what pruning leaves of the published model")
        manifest = self.manifest(name, version, str(tuned["model_digest"]))
        return self.code(own), self.model(manifest), name


def _recorded(transport: Transport, federation: Federation, variant: Variant) -> list[Measurement]:
    """All that workers measured of the artefact on classes of processors that this machine has: a decision may name
    any."""
    releases = read_releases(transport, federation, ("measurements",))
    return [
        found
        for found in releases.measurements(variant.task, variant.version, variant.name)
        if found.data == GATE
        and found.artefact_sha256 == variant.artefact_sha256
        and Host().device_of_class(found.processor) is not None
    ]


def _measured_again(
    code: TaskCode,
    spec: AccelerationSpec,
    published: NDArray[np.float32],
    artefact: bytes,
    variant: Variant,
    recorded: list[Measurement],
) -> tuple[str, tuple[str, ...]]:
    gate: ExampleSet = load_set(code, spec.gate)
    if any(gate.sha256 != each.data_sha256 for each in recorded):
        words = f"the gate set {spec.gate} here is not the one that was measured on"
        return words, (words,)
    reference = outputs_of(code, published, gate.inputs)
    bench = Bench(gate=gate, reference=reference, metrics=spec.policy.metrics)
    told: list[str] = []
    found: list[str] = []
    for each in recorded:
        try:
            device = Host().device_of_class(each.processor) or "cpu"
            session = open_session(artefact, module=code.module, device=device)
        except ValueError as error:
            told.append(f"with {each.runtime}; here {error}")
            continue
        if session.runtime != each.runtime:
            told.append(f"with {each.runtime}; here is {session.runtime}")
            continue
        again = bench.compared(session.run_in_batches(gate.inputs), variant.artefact_sha256)
        others = differences(each, again)
        told.append(f"{len(again.counts)} counts and {len(again.drops)} bounds, {'others' if others else 'the same'}")
        found += others
    return "; ".join(dict.fromkeys(told)), tuple(dict.fromkeys(found))
