"""`fluvial task`: what the operator of a federation does."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from deploy.commands.common import DataDirOption
from deploy.local.directory import DEFAULT, DataDirectory
from deploy.local.keys import ServiceKeys
from fluvial.cli.common import JsonOption, console, fail, print_json, reported
from fluvial.wire.layout import num_elements
from fluvial.wire.names import check_participant
from fluvial.wire.records import Task
from fluvial.wire.task_file import TaskFile
from models.aggregation import precision

app = typer.Typer(no_args_is_help=True, help="Create tasks and let participants in, as the operator of the federation.")


@app.command("create")
@reported
def create(
    file: Annotated[Path, typer.Argument(help="The task file, YAML or JSON.", exists=True, dir_okay=False)],
    data_dir: DataDirOption = DEFAULT,
) -> None:
    """Create a task: publish its first model, its agreement and the task itself, signed."""
    from deploy.local.tasks import create_task

    directory = DataDirectory(data_dir)
    created = create_task(directory.federation(), ServiceKeys.load_or_make(directory.keys), TaskFile.read(file))
    size, digest = created.manifest.num_elements, created.manifest.model_digest.hex()
    console.print(f"task {created.task.task}: model version 0, {size:,} parameters, {digest[:16]}", markup=False)
    console.print(precision.in_words(created.manifest.fraction_bits), markup=False)


@app.command("list")
@reported
def list_tasks(as_json: JsonOption = False, data_dir: DataDirOption = DEFAULT) -> None:
    """List the tasks of the federation."""
    found = [_summary(task) for task in _tasks(data_dir)]
    if as_json:
        print_json(found)
        return
    table = Table("task", "title", "rounds", "quorum", "target", "parameters", "created")
    for task in found:
        values = (task["task"], task["title"], task["rounds"], task["quorum"], task["target"], task["parameters"])
        table.add_row(*map(str, values), task["created"])
    console.print(table)


@app.command("show")
@reported
def show(
    name: Annotated[str, typer.Argument(metavar="TASK", help="The task.")],
    as_json: JsonOption = False,
    data_dir: DataDirOption = DEFAULT,
) -> None:
    """Show one task: its file as it was signed, and its model's tensors."""
    task = next((task for task in _tasks(data_dir) if task.task == name), None)
    if task is None:
        fail(f"there is no task {name}", "`fluvial task list` shows those that there are.")
    found = {
        **_summary(task),
        "specification": json.loads(task.specification),
        "layout": [{"name": tensor.name, "shape": list(tensor.shape)} for tensor in task.layout],
        "base_digest": task.base_digest.hex(),
    }
    if as_json:
        print_json(found)
    else:
        console.print_json(data=found)


@app.command("token")
@reported
def token(
    participant: Annotated[str, typer.Argument(help="Name of the participant that the token is for.")],
    valid_days: Annotated[float, typer.Option(min=0.001, help="Days until the token is void.")] = 7.0,
    data_dir: DataDirOption = DEFAULT,
) -> None:
    """Issue a one-time token with which one participant can enrol. Prints the token and nothing else."""
    from deploy.local.tasks import issue_token

    check_participant(participant)
    directory = DataDirectory(data_dir)
    keys = ServiceKeys.load_or_make(directory.keys)
    print(issue_token(directory.federation(), keys, participant, valid_days=valid_days))


def _tasks(data_dir: Path) -> list[Task]:
    from deploy.local.tasks import tasks

    return tasks(DataDirectory(data_dir).federation())


def _summary(task: Task) -> dict[str, Any]:
    task_file = TaskFile.model_validate_json(task.specification)
    return {
        "task": task.task,
        "title": task_file.title,
        "rounds": task_file.rounds,
        "quorum": task_file.quorum,
        "target": task_file.target,
        "parameters": num_elements(task.layout),
        "created": datetime.fromtimestamp(task.created_ms / 1000, UTC).isoformat(timespec="seconds"),
    }
