"""`fluvial model replay`: compute a published model again from the log, and compare bytes."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from deploy.replay import KafkaLog, ReplayResult
from deploy.replay import replay as compute_again
from deploy.replay.initial import initial_model
from fluvial.cli.common import (
    DEFAULT_FEDERATION,
    Exit,
    FederationOption,
    JsonOption,
    console,
    errors,
    load_federation,
    print_json,
    reported,
)
from fluvial.edge.transport import connect


@reported
def replay(
    task: Annotated[str, typer.Argument(help="The task.")],
    version: Annotated[int, typer.Argument(min=0, help="The version.")],
    federation: FederationOption = DEFAULT_FEDERATION,
    json: JsonOption = False,
) -> None:
    """Compute a model again from the signed updates in the log. Exit status 0 only if it is the same to the bit."""
    parties = load_federation(federation)
    transport = connect(parties, "fluvial-replay")
    try:
        with _progress() as progress:
            bar = progress.add_task(f"{task}, version {version}", total=None)
            result = compute_again(
                KafkaLog(transport, parties),
                task,
                version,
                initial=partial(initial_model, transport, parties),
                on_progress=lambda done, total: progress.update(bar, completed=done, total=total),
            )
    finally:
        transport.close()
    if json:
        print_json(asdict(result))
    else:
        _print(result)
    if not result.bit_exact:
        raise typer.Exit(Exit.FAILURE)


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    return Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal)


def _print(result: ReplayResult) -> None:
    for difference in result.differs:
        console.print(difference, markup=False)
    computed = ", ".join(str(version) for version in result.versions)
    console.print(
        f"{result.contributions} contributions, {result.update_bytes / 1e6:.1f} MB of updates read in "
        f"{result.seconds:.1f} s ({result.megabytes_per_second:.0f} MB/s); versions computed: {computed or 'none'}"
    )
    if result.bit_exact:
        console.print(f"[bold green]bit-exact[/]: {result.task}, version {result.version}")
    else:
        console.print(f"[bold red]NOT bit-exact[/]: {result.task}, version {result.version}")
