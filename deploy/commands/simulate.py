"""`fluvial simulate`: a task's federation in this process and its workers, without broker and engine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.machine.jars import CHECKOUT
from fluvial.cli.common import Exit, JsonOption, console, errors, fail, print_json, reported
from fluvial.wire.records import Round

TASKS = CHECKOUT / "deploy" / "tasks"
TASK_FILE = "task.yaml"


@reported
def simulate(
    task: Annotated[str, typer.Argument(metavar="TASK_OR_DIR", help="An example task, or a folder with a task.yaml.")],
    participants: Annotated[
        int | None,
        typer.Option("--participants", min=1, help="Among how many to divide the examples; by default those in it."),
    ] = None,
    rounds: Annotated[int | None, typer.Option("--rounds", min=1, help="Rounds; by default the task's.")] = None,
    target: Annotated[
        int | None,
        typer.Option(
            "--target", min=1, help="Updates that close a round; by default the task's share of participants."
        ),
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="The participants' data; by default what lies beside the task.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the division and of who is fast.")] = 0,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", min=1, max=1024, help="Processes that train; by default one a core, where many train."
        ),
    ] = None,
    encoding: Annotated[str, typer.Option("--encoding", help="Tensor encoding of the updates.")] = "float32",
    html: Annotated[
        Path | None, typer.Option("--html", help="Write the learning curve and groups to this page (or .png).")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Run a task's rounds on this machine alone: the same gate, windows, rules, optimizers, exact sums and training as
    in the federation, and for the same updates the same model to the byte. Simulated participants are honest and take
    a tenth of the round's time, more or less."""
    folder = folder_of(task)
    if html is not None and not html.absolute().parent.is_dir():
        fail(f"there is no folder {html.absolute().parent} for {html.name}", status=Exit.USAGE)
    from deploy.simulation.federation import SimulatedFederation
    from deploy.simulation.learning import plan_of
    from deploy.simulation.report import curves, groups, line_of, write_page

    plan = plan_of(folder, data=data, num_participants=participants, num_rounds=rounds, target=target, seed=seed)
    task_file, started, rows = plan.task_file, time.monotonic(), []
    with _progress(task_file.rounds) as shown:
        federation = SimulatedFederation(plan, workers=workers, encoding=encoding, on_progress=shown)
        if ended := federation.learning.loader_ended:
            number = federation.learning.num_groups
            errors.print(f"participants in the data: {number}; the loader ends there: {ended}", markup=False)
        for row in federation.run():
            rows.append(row)
            if not json:
                console.print(line_of(row), markup=False)
    seconds, number = time.monotonic() - started, len(federation.names)
    noun = "participant" if number == 1 else "participants"
    told = f"{number} {noun}, quorum {task_file.quorum}, target {task_file.target}, seed {seed}"
    if html is not None:
        write_page(html, f"{task_file.title} (simulated)", told, rows)
    if json:
        document = {"task": task_file.task, "participants": number, "seed": seed, "seconds": seconds}
        print_json({**document, "rounds": [asdict(row) for row in rows], "model_digest": rows[-1].model_digest})
        return
    for line in curves(rows):
        console.print(line, markup=False)
    if (table := groups(rows)) is not None:
        console.print(table)
    console.print(f"{told}: {len(rows)} rounds in {seconds:.1f} s; model {rows[-1].model_digest}", markup=False)


def folder_of(task: str) -> Path:
    """The folder of a task that is named or pointed to. Ends the command where there is none."""
    folders = (Path(task).expanduser(), TASKS / task)
    found = next((folder for folder in folders if (folder / TASK_FILE).is_file()), None)
    if found is None:
        examples = ", ".join(sorted(file.parent.name for file in TASKS.glob(f"*/{TASK_FILE}")))
        fail(
            f"there is no task {task}: neither a folder with a {TASK_FILE} nor one of the examples {examples}",
            status=Exit.USAGE,
        )
    return found.absolute()


@contextmanager
def _progress(num_rounds: int) -> Iterator[Callable[[Round, int], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with Progress(
        *columns, TimeElapsedColumn(), console=errors.console, transient=True, disable=not errors.console.is_terminal
    ) as progress:
        all_rounds = progress.add_task("rounds", total=num_rounds)
        updates = progress.add_task("updates", total=None)

        def show(round_: Round, num_admitted: int) -> None:
            progress.update(all_rounds, completed=round_.round - 1)
            progress.update(updates, description=f"round {round_.round}", completed=num_admitted, total=round_.target)

        yield show
