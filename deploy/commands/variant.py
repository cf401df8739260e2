"""`fluvial variant verify`: build an accelerated variant again from the published model, and compare."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.local.jars import CHECKOUT
from fluvial.cli.common import (
    DEFAULT_FEDERATION,
    Exit,
    FederationOption,
    JsonOption,
    PackageOption,
    console,
    fail,
    load_federation,
    print_json,
    reported,
)
from fluvial.edge.models import load_model, read_manifests
from fluvial.edge.packages import Packages
from fluvial.edge.registry import Registry
from fluvial.identity.federation import Federation
from fluvial.inference.read_releases import read_releases
from fluvial.kafka import Transport, connect
from fluvial.wire.errors import FluvialError
from fluvial.wire.records import ModelManifest, Variant
from fluvial.wire.task_file import TaskFile

if TYPE_CHECKING:
    from models.acceleration.rebuilding import Rebuilt

app = typer.Typer(help="Look at accelerated variants.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keeps `verify` a verb of its own."""


@app.command()
@reported
def verify(
    task: Annotated[str, typer.Argument(help="The task.")],
    version: Annotated[int, typer.Argument(min=0, help="The model's version.")],
    name: Annotated[str, typer.Argument(help="The variant's name in the task's terms.")],
    package: PackageOption = None,
    federation: FederationOption = DEFAULT_FEDERATION,
    json: JsonOption = False,
) -> None:
    """Build the variant again from the published model. Exit status 0 only if it has the recorded bytes, or, where the
    recipe or other versions of the builders cannot promise that, gives the same answers."""
    loaded = load_federation(federation)
    with closing(connect(loaded.brokers, "fluvial-variant-verify")) as transport:
        variant = read_releases(transport, loaded, ("variants",)).variant(task, version, name)
        if variant is None:
            fail(f"{task}, version {version}, has no variant {name}", f"See `fluvial release list {task}`.")
        rebuilt = _rebuilt(transport, loaded, variant, Packages(package or ()))
    if json:
        print_json({**asdict(rebuilt), "verified": rebuilt.verified, "artefact_sha256": variant.artefact_sha256.hex()})
    else:
        _print(variant, rebuilt)
    if not rebuilt.verified:
        raise typer.Exit(Exit.FAILURE)


def _rebuilt(transport: Transport, federation: Federation, variant: Variant, packages: Packages) -> Rebuilt:
    with closing(Registry(transport, federation)) as registry:
        registry.refresh()
        record = registry.task(variant.task)
    task_file = None if record is None else TaskFile.model_validate_json(record.specification)
    if task_file is None or task_file.acceleration is None:
        raise FluvialError(f"the registry has no task {variant.task} that names variants")
    manifest = _manifest(transport, federation, variant)
    topic = federation.topics.model_blobs
    model = load_model(transport, topic, manifest.chunks, manifest.model_digest, manifest.num_elements)
    places = [(chunk.partition, chunk.offset) for chunk in variant.chunks]
    artefact = b"".join(transport.fetch(federation.topics.variant_blobs, places)) if places else b""
    calibration = CHECKOUT / task_file.acceleration.calibration
    # Imported late: they bring in torch and onnx, seconds that other verbs should not take.
    from fluvial.edge.training.task_code import TaskCode
    from models.acceleration.rebuilding import rebuild
    from models.datasets import load_evaluation

    inputs = load_evaluation(calibration, task_file.acceleration.calibration).inputs
    if variant.calibration_sha256 and sha256(calibration.read_bytes()).digest() != variant.calibration_sha256:
        raise FluvialError(f"{calibration} is not the calibration data that the variant was built with")
    return rebuild(
        variant,
        artefact,
        state=TaskCode.of(task_file, packages).state(),
        model=model,
        calibration=inputs,
    )


def _manifest(transport: Transport, federation: Federation, variant: Variant) -> ModelManifest:
    for manifest in read_manifests(transport, federation):
        if (manifest.task, manifest.version) == (variant.task, variant.version):
            if manifest.model_digest != variant.model_digest:
                raise FluvialError("the variant is not of the model that was published under its version")
            return manifest
    raise FluvialError(f"{variant.task} has no version {variant.version}")


def _print(variant: Variant, rebuilt: Rebuilt) -> None:
    console.print(f"{variant.task}, version {variant.version}, {variant.name}: {variant.recipe}", markup=False)
    for package, (recorded, here) in sorted(rebuilt.other_builders.items()):
        console.print(f"  built by {package} {recorded}; here is {here}", markup=False)
    if rebuilt.failure or rebuilt.expected_failure:
        console.print(f"  recorded: {rebuilt.expected_failure or 'was built'}", markup=False)
        console.print(f"  here:     {rebuilt.failure or 'was built'}", markup=False)
    else:
        console.print(f"  bytes     {'the same' if rebuilt.same_bytes else 'others'}")
        console.print(f"  answers   {100 * rebuilt.same_answers:.2f} % the same on the calibration inputs")
    console.print("[bold green]verified[/]" if rebuilt.verified else "[bold red]NOT VERIFIED[/]")
