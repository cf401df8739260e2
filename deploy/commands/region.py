"""`fluvial region`: a federation as one participant of another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.commands.common import DataDirOption
from deploy.federation.directory import DEFAULT, DataDirectory
from deploy.federation.keys import ServiceKeys
from fluvial.cli import participate
from fluvial.cli.common import Exit, JsonOption, console, fail, load_federation, print_json, reported
from fluvial.cli.interruption import interruptible, uninterrupted
from fluvial.cli.places import KeyOption, OutboxOption, key_path, outbox_path
from fluvial.edge.region.events import Attempted, Event, Followed, Missed, Refused, Summed
from fluvial.edge.region.region import Region
from fluvial.identity.keys import SigningKey
from fluvial.wire.task_file import TaskFile
from pipelines.aggregation.rounds import terms

app = typer.Typer(no_args_is_help=True, help="Run this federation as a region: one participant of a parent federation.")


@app.callback()
def _group() -> None:
    """Keeps `run` a verb of its own."""


@app.command("run")
@reported
def run(
    file: Annotated[
        Path, typer.Argument(help="The region's task file, with `partial: true`.", exists=True, dir_okay=False)
    ],
    parent: Annotated[Path, typer.Option("--parent", help="The parent federation's file, from its operator.")],
    name: Annotated[str, typer.Option("--name", help="The region's name as a participant of the parent federation.")],
    parent_task: Annotated[
        str | None, typer.Option("--parent-task", help="The parent's task; without it the one of the same name.")
    ] = None,
    proven: Annotated[
        bool,
        typer.Option(
            "--proven/--unproven",
            help="Whether to follow no model of the parent's, and believe no verdict and no receipt, before a signed "
            "leaf of its audit log proves it.",
        ),
    ] = True,
    key: KeyOption = None,
    outbox: OutboxOption = None,
    json: JsonOption = False,
    data_dir: DataDirOption = DEFAULT,
) -> None:
    """Open the parent's rounds in this federation, and send the exact sum of each one up as one update.

    The region is enrolled in the parent federation like any participant (`fluvial enrol --federation PARENT`), and its
    own jobs run (`fluvial submit`). Ctrl-C stops; started again, it goes on where it was.
    """
    directory = DataDirectory(data_dir)
    task_file = TaskFile.read(file)
    terms.check(task_file)
    key_file = key or key_path(name)
    if not key_file.exists():
        fail(f"there is no key at {key_file}", "`fluvial enrol` makes it and enrols the region.", Exit.USAGE)
    operator_key = ServiceKeys.load_or_make(directory.keys).operator
    above, below, own_key = load_federation(parent), directory.federation(), SigningKey.load(key_file)
    database = outbox or outbox_path(name)

    def show(event: Event) -> None:
        if json:
            print_json(as_dict(event))
        elif line := as_line(event):
            console.print(line, markup=False)

    with interruptible():
        region = Region(
            task_file, below, above, name, own_key, operator_key, database, parent_task=parent_task, proven=proven
        )
        try:
            contributed = region.run(show)
        finally:
            with uninterrupted():
                region.close()
    if json:
        print_json({"event": "done", "task": task_file.task, "rounds": contributed})
    else:
        console.print(f"sent the sums of {contributed} {'round' if contributed == 1 else 'rounds'}")


def as_line(event: Event) -> str:
    """The event for people; empty for what they need not see."""
    match event:
        case Followed(round=parent, seconds=seconds):
            return f"round {parent.round}: opened below for {seconds:.0f} s, on model version {parent.base_version}"
        case Attempted(round=below):
            return f"  attempt {below.attempt - 1} failed, nothing was sent; trying again" if below.attempt > 1 else ""
        case Summed(manifest=manifest):
            count = sum(contribution.selected for contribution in manifest.contributions)
            return f"  the sum of {count} updates, weight {manifest.total_weight}"
        case Missed(round=number):
            return f"  round {number} of the parent is over without this region"
        case Refused(round=number, reason=reason):
            return f"  nothing is sent for round {number}: {reason}"
        case _:
            return participate.as_line(event)


def as_dict(event: Event) -> dict[str, Any]:
    """The event for programs: its kind and its plain fields."""
    match event:
        case Followed(round=parent, seconds=seconds):
            fields: dict[str, Any] = {"round": parent.round, "attempt": parent.attempt, "seconds": seconds}
        case Attempted(round=below):
            fields = {"round": below.round, "attempt": below.attempt}
        case Summed(manifest=manifest):
            fields = {
                "round": manifest.round,
                "weight": manifest.total_weight,
                "updates": sum(contribution.selected for contribution in manifest.contributions),
            }
        case Missed(round=number):
            fields = {"round": number}
        case Refused(round=number, reason=reason):
            fields = {"round": number, "reason": reason}
        case _:
            return participate.as_dict(event)
    return {"event": type(event).__name__, **fields}
