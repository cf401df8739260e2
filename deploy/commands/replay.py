"""`fluvial model replay`: compute a published model again from the log, and compare bytes; or without somebody."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

from deploy.machine.jars import CHECKOUT
from fluvial.cli.common import (
    DEFAULT_FEDERATION,
    Exit,
    FederationOption,
    JsonOption,
    PackageOption,
    console,
    errors,
    load_federation,
    print_json,
    reported,
)
from fluvial.edge.packages import Packages

if TYPE_CHECKING:
    from pipelines.replay import Counterfactual, ReplayResult


@reported
def replay(
    task: Annotated[str, typer.Argument(help="The task.")],
    version: Annotated[int, typer.Argument(min=0, help="The version.")],
    without: Annotated[
        list[str] | None,
        typer.Option(
            "--without",
            metavar="PARTICIPANT",
            help="Leave this participant's updates out and compare the model that comes out with the published one: "
            "their distance, and the metrics of both on the task's evaluation set. May be given several times.",
        ),
    ] = None,
    first: Annotated[
        int | None,
        typer.Option(
            "--from",
            min=1,
            metavar="VERSION",
            help="With --without: leave them out from this version on, and compute all from there again. The other "
            "participants' later updates are taken as they were, although they would have trained from other models.",
        ),
    ] = None,
    package: PackageOption = None,
    federation: FederationOption = DEFAULT_FEDERATION,
    json: JsonOption = False,
) -> None:
    """Compute a model again from the signed updates in the log. Exit status 0 only if it is the same to the bit.

    With --without: compute the model that the same updates make without somebody, the rule deciding anew; exit status 0
    if it could be computed.
    """
    from pipelines.replay import counterfactual, kafka_log
    from pipelines.replay import replay as compute_again
    from pipelines.replay.task import initial_model, metrics_of, read_task_file

    if first is not None and not without:
        raise ValueError("--from says from which version on to leave somebody out: it needs --without")
    parties = load_federation(federation)
    with ExitStack() as ends:
        log = ends.enter_context(kafka_log(parties))
        packages = Packages(package or ())
        initial = partial(initial_model, log.transport, parties, packages=packages)
        on_progress = ends.enter_context(_progress(f"{task}, version {version}"))
        if without:
            task_file = read_task_file(log.transport, parties, task)
            metrics = None if task_file is None else metrics_of(task_file, CHECKOUT, packages)
            quorum = 1 if task_file is None else task_file.quorum
            found = counterfactual(
                log,
                task,
                version,
                without,
                first=first,
                quorum=quorum,
                metrics=metrics,
                initial=initial,
                on_progress=on_progress,
            )
        else:
            result = compute_again(log, task, version, initial=initial, on_progress=on_progress)
    if without:
        _print_counterfactual(found, json)
    else:
        _print(result, json)
        if not result.bit_exact:
            raise typer.Exit(Exit.FAILURE)


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=errors.console, transient=True, disable=not errors.console.is_terminal) as progress:
        bar = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(bar, completed=done, total=total)


def _print(result: ReplayResult, json: bool) -> None:
    if json:
        print_json(asdict(result))
        return
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


def _print_counterfactual(found: Counterfactual, json: bool) -> None:
    if json:
        print_json(asdict(found))
        return
    first, last = found.versions[0], found.versions[-1]
    computed = f"version {last}" if first == last else f"versions {first} to {last}"
    console.print(
        f"{found.task}, {computed} without {', '.join(found.without)}: {sum(found.updates_left_out)} of "
        f"{sum(found.updates_left_out) + sum(found.updates_left)} updates left out",
        markup=False,
    )
    if first != last:
        console.print("  the others' updates are taken as they were; they would have trained from other models")
    if found.below_quorum:
        few = ", ".join(map(str, found.below_quorum))
        console.print(f"  without its quorum, so that it would have failed: version {few}")
    share = f", {found.distance / found.step:.1%} of the step from version {first - 1}" if found.step else ""
    console.print(f"  distance to the published model (L2): {found.distance:.6g}{share}")
    if found.metrics_before is None or found.metrics_after is None:
        console.print("  not evaluated: the task has no evaluation set")
        return
    table = Table("metric", "published", "without", "change")
    for name, before in sorted(found.metrics_before.items()):
        after = found.metrics_after[name]
        table.add_row(name, f"{before:.6g}", f"{after:.6g}", f"{after - before:+.6g}")
    console.print(table)
