"""`fluvial variant`: build an accelerated variant again from the published model, and compare; have one fine-tuned."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.commands.common import DataDirOption
from deploy.federation.directory import DEFAULT, DataDirectory
from deploy.federation.keys import ServiceKeys
from deploy.machine.jars import CHECKOUT
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
from fluvial.edge.packages import Packages
from fluvial.edge.registry import Registry
from fluvial.identity.federation import Federation
from fluvial.inference.read_releases import read_releases
from fluvial.kafka import Transport, connect
from fluvial.registry.acts import OPERATOR
from fluvial.wire.records import Variant
from fluvial.wire.task_file import TaskFile

if TYPE_CHECKING:
    from pipelines.replay.variants import Verified

app = typer.Typer(help="Verify accelerated variants, and have a pruned one fine-tuned.", no_args_is_help=True)


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
    """Build the variant again from the published model, and measure it again on the task's gate set. Exit status 0 only
    if it has the recorded bytes, or, where the recipe or other versions of the builders cannot promise that, gives the
    same answers; if what was measured on this class of processors is what is measured here; and, of a fine-tuned one,
    if its rounds began with the pruned model."""
    loaded = load_federation(federation)
    with closing(connect(loaded.brokers, "fluvial-variant-verify")) as transport:
        variant = read_releases(transport, loaded, ("variants",)).variant(task, version, name)
        if variant is None:
            fail(f"{task}, version {version}, has no variant {name}", f"See `fluvial release list {task}`.")
        found = _verified(transport, loaded, variant, Packages(package or ()))
    if json:
        print_json(
            {
                **asdict(found.rebuilt),
                "tuned_by": found.tuned_by,
                "measured": found.measured,
                "differences": found.differences,
                "verified": found.good,
                "artefact_sha256": variant.artefact_sha256.hex(),
            }
        )
    else:
        _print(variant, found)
    if not found.good:
        raise typer.Exit(Exit.FAILURE)


@app.command()
@reported
def tune(
    task: Annotated[str, typer.Argument(help="The task whose model was pruned.")],
    version: Annotated[int, typer.Argument(min=0, help="The model's version.")],
    name: Annotated[str, typer.Argument(help="The variant of recipe fine_tuned in the task's terms.")],
    called: Annotated[
        str, typer.Option("--as", help="Name of the task that tunes; made of all three without it.")
    ] = "",
    package: PackageOption = None,
    data_dir: DataDirOption = DEFAULT,
) -> None:
    """Open rounds of fine-tuning for a pruned variant, as the operator: a task of its own, whose first model is the
    pruned one. Participants take part in it as in any task; what its last round makes is built, measured and judged as
    the variant."""
    directory = DataDirectory(data_dir)
    federation, keys = directory.federation(), ServiceKeys.load_or_make(directory.keys)
    with closing(connect(federation.brokers, OPERATOR)) as transport:
        from deploy.acts.tuning import open_rounds

        created = open_rounds(transport, federation, keys, task, version, name, Packages(package or ()), called)
    size, rounds = created.manifest.num_elements, TaskFile.model_validate_json(created.task.specification).rounds
    console.print(
        f"task {created.task.task}: {rounds} round{'s' if rounds > 1 else ''} on {size:,} parameters that are left of "
        f"{task}, version {version}: `fluvial participate {created.task.task}`",
        markup=False,
    )


def _verified(transport: Transport, federation: Federation, variant: Variant, packages: Packages) -> Verified:
    from pipelines.replay.variants import verified

    with closing(Registry(transport, federation)) as registry:
        registry.refresh()
        return verified(transport, federation, registry, variant, packages, CHECKOUT)


def _print(variant: Variant, found: Verified) -> None:
    rebuilt = found.rebuilt
    console.print(f"{variant.task}, version {variant.version}, {variant.name}: {variant.recipe}", markup=False)
    for package, (recorded, here) in sorted(rebuilt.other_builders.items()):
        console.print(f"  built by {package} {recorded}; here is {here}", markup=False)
    if found.tuned_by:
        console.print(f"  tuned by  the rounds of {found.tuned_by}, which began with the pruned model", markup=False)
    if rebuilt.failure or rebuilt.expected_failure:
        console.print(f"  recorded: {rebuilt.expected_failure or 'was built'}", markup=False)
        console.print(f"  here:     {rebuilt.failure or 'was built'}", markup=False)
    else:
        console.print(f"  bytes     {'the same' if rebuilt.same_bytes else 'others'}")
        console.print(f"  answers   {100 * rebuilt.same_answers:.2f} % the same on the calibration inputs")
        console.print(f"  measured  {found.measured}", markup=False)
    for difference in found.differences:
        console.print(f"            {difference}", markup=False)
    console.print("[bold green]verified[/]" if found.good else "[bold red]NOT VERIFIED[/]")
