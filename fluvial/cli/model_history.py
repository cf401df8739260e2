"""`fluvial model history`: how a task's metrics went from version to version, overall, by group and by participants."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer

from fluvial.cli.common import (
    DEFAULT_FEDERATION,
    Exit,
    FederationOption,
    JsonOption,
    console,
    fail,
    load_federation,
    print_json,
    reported,
)
from fluvial.cli.course import Course, Step, as_table, blocks, grids, panels
from fluvial.cli.metrics_page import page
from fluvial.cli.published import TaskArgument
from fluvial.edge.manifests import read_manifests
from fluvial.edge.measurements import Findings, all_findings, as_dict, participants_as_dicts
from fluvial.edge.metrics import Measured
from fluvial.kafka import connect
from fluvial.wire.files import replace_file
from fluvial.wire.records import ModelManifest


@reported
def history(
    task: TaskArgument,
    html: Annotated[
        Path | None,
        typer.Option("--html", help="Write the metrics' course, overall and by group, to this page."),
    ] = None,
    federation: FederationOption = DEFAULT_FEDERATION,
    json: JsonOption = False,
) -> None:
    """Show the course of a task's metrics: of each published version what evaluation measured, overall and by group,
    and what participants told of it on held-out examples of their own."""
    if html is not None and not html.absolute().parent.is_dir():
        fail(f"there is no folder {html.absolute().parent} for {html.name}", status=Exit.USAGE)
    parties = load_federation(federation)
    with closing(connect(parties.brokers, "fluvial-model")) as transport:
        published = read_manifests(transport, parties)
        manifests = [each for each in published if each.task == task]
        if not manifests:
            known = ", ".join(dict.fromkeys(each.task for each in published)) or "none"
            raise ValueError(f"there is no published model of the task {task}; there are models of {known}")
        findings = all_findings(transport, parties, manifests)
    course = course_of(manifests, findings)
    if html is not None:
        number = len(manifests)
        told = f"{number} {'version' if number == 1 else 'versions'} of {task}, and what was measured of each"
        replace_file(html, page(f"{task}: metrics by version", told, panels(course), grids(course)))
    if json:
        print_json({"task": task, "versions": _as_dicts(manifests, findings)})
        return
    for grid in grids(course):
        console.print(as_table(grid))
    for line in blocks(course):
        console.print(line, markup=False)


def course_of(manifests: Sequence[ModelManifest], findings: Sequence[Findings]) -> Course:
    """Of a task's versions, each with what is known of it."""
    steps = []
    for manifest, found in zip(manifests, findings, strict=True):
        release, measured = found.release, Measured.told_by(found.release)
        selected = sum(contribution.selected for contribution in manifest.contributions)
        steps.append(
            Step(
                place=manifest.version,
                cells=(f"{selected}/{len(manifest.contributions)}", manifest.model_digest.hex()[:12]),
                metrics=measured.metrics,
                groups=measured.groups,
                reason=release.reason if release else "",
                told=next(iter(found.told.values()), ()),
            )
        )
    return Course(across="version", heads=("updates", "model"), steps=tuple(steps))


def _as_dicts(manifests: Sequence[ModelManifest], findings: Sequence[Findings]) -> list[dict[str, Any]]:
    return [
        {
            "version": manifest.version,
            "round": manifest.round,
            "model_digest": manifest.model_digest.hex(),
            "measured": as_dict(found.release) if found.release else None,
            "measured_by_participants": [
                {"told_with_version": version, **each}
                for version, about in found.told.items()
                for each in participants_as_dicts(about)
            ],
        }
        for manifest, found in zip(manifests, findings, strict=True)
    ]
