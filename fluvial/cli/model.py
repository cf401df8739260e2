"""`fluvial model`: the published models, verified by their manifests."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.table import Table

from fluvial.cli.common import (
    DEFAULT_FEDERATION,
    FederationOption,
    JsonOption,
    console,
    load_federation,
    print_json,
    reported,
)
from fluvial.cli.published import TaskArgument, VersionArgument, find, of_task
from fluvial.edge import measurements
from fluvial.edge.manifests import read_manifests
from fluvial.identity.federation import Federation
from fluvial.kafka import connect
from fluvial.wire.records import ModelManifest

app = typer.Typer(help="List, show, download and register published models.", no_args_is_help=True)


@app.command("list")
@reported
def list_models(
    task: Annotated[str | None, typer.Argument(help="One task; all without it.")] = None,
    federation: FederationOption = DEFAULT_FEDERATION,
    json: JsonOption = False,
) -> None:
    """List the models with a verified manifest."""
    manifests = _manifests(load_federation(federation))
    if task is not None:
        manifests = of_task(manifests, task)
    if json:
        print_json([_summary(manifest) for manifest in manifests])
        return
    if not manifests:
        console.print("no models")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("task", "version", "round", "updates", "elements", "digest", "published"):
        table.add_column(heading)
    for found in manifests:
        selected = sum(contribution.selected for contribution in found.contributions)
        table.add_row(
            found.task,
            str(found.version),
            str(found.round),
            f"{selected}/{len(found.contributions)}",
            str(found.num_elements),
            found.model_digest.hex()[:16] + (" (sum of a region)" if found.partial else ""),
            _time(found.created_ms),
        )
    console.print(table)


@app.command()
@reported
def show(
    task: TaskArgument,
    version: VersionArgument = None,
    federation: FederationOption = DEFAULT_FEDERATION,
    json: JsonOption = False,
) -> None:
    """Show a model's manifest: what it was made from and by which rule, and what was measured of it, by group too, by
    evaluation and by participants on held-out examples of their own."""
    parties = load_federation(federation)
    manifest = _find(parties, task, version)
    found = _findings(parties, manifest)
    measured = found.release
    if json:
        told = [
            {"told_with_version": version, **each}
            for version, about in found.told.items()
            for each in measurements.participants_as_dicts(about)
        ]
        details = {**_details(manifest), "measured": measurements.as_dict(measured) if measured else None}
        print_json({**details, "measured_by_participants": told})
        return
    console.print(f"{manifest.task}, version {manifest.version}", markup=False)
    console.print(f"  digest      {manifest.model_digest.hex()}")
    console.print(f"  parent      version {manifest.parent_version} {manifest.parent_digest.hex()[:16]}".rstrip())
    console.print(f"  made by     round {manifest.round}, attempt {manifest.attempt}, {_time(manifest.created_ms)}")
    console.print(f"  rule        {manifest.rule}", markup=False)
    console.print(f"  weight      {manifest.total_weight}")
    console.print(f"  elements    {manifest.num_elements} in {len(manifest.chunks)} chunks")
    for tensor in manifest.layout:
        dtype = "" if tensor.dtype == "float32" else f" {tensor.dtype}"
        console.print(f"    {tensor.name} {list(tensor.shape)}{dtype}", markup=False)
    for place, line in enumerate(measurements.as_lines(measured) if measured else []):
        console.print(f"  {'measured' if place == 0 else '':<11} {line}", markup=False)
    for version, about in found.told.items():
        console.print(f"  {'held out':<11} by participants, with their updates for version {version}")
        for line in measurements.participants_as_lines(about):
            console.print(f"    {line}", markup=False)
    for contribution in manifest.contributions:
        left_out = "" if contribution.selected else ", left out by the rule"
        console.print(
            f"  update      {contribution.update_id} of {contribution.participant}, "
            f"weight {contribution.weight}{left_out}",
            markup=False,
        )


def _manifests(federation: Federation) -> list[ModelManifest]:
    transport = connect(federation.brokers, "fluvial-model")
    try:
        return read_manifests(transport, federation)
    finally:
        transport.close()


def _findings(federation: Federation, manifest: ModelManifest) -> measurements.Findings:
    transport = connect(federation.brokers, "fluvial-model")
    try:
        return measurements.findings_of(transport, federation, manifest)
    finally:
        transport.close()


def _find(federation: Federation, task: str, version: int | None) -> ModelManifest:
    return find(_manifests(federation), task, version)


def _summary(manifest: ModelManifest) -> dict[str, Any]:
    return {
        "task": manifest.task,
        "version": manifest.version,
        "round": manifest.round,
        "attempt": manifest.attempt,
        "model_digest": manifest.model_digest.hex(),
        "num_elements": manifest.num_elements,
        "partial": manifest.partial,
        "num_contributions": len(manifest.contributions),
        "num_selected": sum(contribution.selected for contribution in manifest.contributions),
        "created_ms": manifest.created_ms,
    }


def _details(manifest: ModelManifest) -> dict[str, Any]:
    from fluvial.wire.terms import stated  # late: a list of models states none

    return {
        **_summary(manifest),
        "parent_version": manifest.parent_version,
        "parent_digest": manifest.parent_digest.hex(),
        "rule": manifest.rule,
        "terms": stated(manifest),
        "fraction_bits": manifest.fraction_bits,
        "total_weight": manifest.total_weight,
        "layout": [
            {"name": tensor.name, "shape": list(tensor.shape), "dtype": tensor.dtype} for tensor in manifest.layout
        ],
        "chunks": [
            {"partition": chunk.partition, "offset": chunk.offset, "length": chunk.length, "sha256": chunk.sha256.hex()}
            for chunk in manifest.chunks
        ],
        "contributions": [
            {
                "participant": contribution.participant,
                "update_id": contribution.update_id,
                "weight": contribution.weight,
                "selected": contribution.selected,
                "record_sha256": contribution.record_sha256.hex(),
            }
            for contribution in manifest.contributions
        ],
    }


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
