"""`fluvial demo`: a whole federation on this machine, adversaries included."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.demo.beginning import Beginning
from deploy.demo.errors import DemoFailed
from deploy.demo.example import example
from deploy.demo.measures import margins_in_words
from deploy.federation.directory import DataDirectory
from deploy.machine.errors import StackError
from fluvial.cli.common import Exit, fail, json_of, reported
from fluvial.cli.interruption import interruptible, uninterrupted
from fluvial.wire.errors import FluvialError
from fluvial.wire.files import check_replaceable, replace_file

if TYPE_CHECKING:
    from rich.console import Console

    from deploy.demo.progress import Progress
    from deploy.demo.summary import Summary

_PIPED_WIDTH = 150


@reported
def demo(
    task: Annotated[str, typer.Option(help="Example task, one of deploy/tasks.")] = "digits",
    data_dir: Annotated[
        Path | None, typer.Option(help="Keep everything in this directory, which must be empty or new.")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write the summary for programs to this file.")] = None,
    accelerate: Annotated[
        bool,
        typer.Option(
            help="Build accelerated variants of the models, too, and release those that harm no group (credit)."
        ),
    ] = False,
    secure: Annotated[
        bool, typer.Option("--secure", help="Everybody by mutual TLS, with a certificate and rights of his own.")
    ] = False,
    html: Annotated[
        Path | None, typer.Option(help="With --accelerate: write the variants as a page with plots to this file.")
    ] = None,
) -> None:
    """Run a federation from enrolment to an audited, replayable model, with adversaries among the participants.

    Exit status 0 only if the federated model is as near the central one as the task's demo.yaml says, replay is
    bit-exact and the audit log verifies.
    """
    chosen = example(task)
    if accelerate and chosen.task_file.acceleration is None:
        raise ValueError(f"the task {chosen.task_file.task} names no variants: credit does")
    for output in (json, html):
        if output is not None:
            check_replaceable(output)
    progress: Progress | None = None
    try:
        with (
            interruptible(),
            _directory(data_dir) as root,
            Beginning(root, chosen.packages, accelerate=accelerate, secure=secure, keep=data_dir is not None) as begun,
        ):
            from rich.console import Console  # late, as all below: broker and job start meanwhile

            from deploy.demo.federation import Run
            from deploy.demo.progress import Progress

            # Where there is no terminal to ask, tables are given room enough not to be folded.
            console = Console(highlight=False, width=None if sys.stdout.isatty() else _PIPED_WIDTH)
            title, rounds = f"fluvial demo: {chosen.task_file.title}", chosen.task_file.rounds
            with Progress(console, title, rounds, chosen.metrics, begun.started) as progress:
                run = Run(chosen, begun, progress, accelerate=accelerate)
                summary = run.run()
            if html is not None and accelerate:
                replace_file(html, run.variants_page.read_bytes())
    except KeyboardInterrupt:
        kept = f" What there was is in {data_dir}." if data_dir else ""
        fail(f"interrupted while {_phase(progress)}; everything was stopped.{kept}", status=Exit.INTERRUPTED)
    except (DemoFailed, StackError, FluvialError) as error:
        fail(f"failed while {_phase(progress)}: {error}", _where(data_dir))
    _tell(summary, console, json)


def _phase(progress: Progress | None) -> str:
    return "starting" if progress is None else progress.last_phase


@contextmanager
def _directory(data_dir: Path | None) -> Iterator[Path]:
    """The directory of the run; a temporary one is gone afterwards."""
    if data_dir is not None:
        data_dir = DataDirectory(data_dir).root
        if data_dir.exists() and any(data_dir.iterdir()):
            raise ValueError(f"{data_dir} is not empty; the demonstration needs a directory of its own")
        yield data_dir
        return
    root = Path(tempfile.mkdtemp(prefix="fluvial-demo-"))
    try:
        yield root
    finally:
        with uninterrupted():
            shutil.rmtree(root, ignore_errors=True)


def _where(data_dir: Path | None) -> str:
    if data_dir is None:
        return "Everything was stopped and removed. With --data-dir DIR all logs are kept."
    return f"Everything was stopped; all logs are in {data_dir}."


def _tell(summary: Summary, console: Console, json: Path | None) -> None:
    summary.print(console)  # first: where the file cannot be written, what it would have held is still told
    if json is not None:
        replace_file(json, json_of(summary.to_dict(), indent=2) + "\n")
    shortfalls = summary.shortfalls()
    for shortfall in shortfalls:
        console.print(f"[bold red]NOT GOOD[/]: {shortfall}", soft_wrap=True)
    if shortfalls:
        raise typer.Exit(Exit.FAILURE)
    within = margins_in_words(summary.margins)
    console.print(f"[bold green]All good[/]: within {within} of central training, bit-exact, verified.")
