"""`fluvial task`: what the operator of a federation does."""

from __future__ import annotations

import json
import shlex
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from deploy.commands.common import DataDirOption, acting
from deploy.federation.directory import DEFAULT, DataDirectory
from fluvial.cli.common import (
    DEFAULT_FEDERATION,
    Exit,
    FederationOption,
    JsonOption,
    PackageOption,
    ask_consent,
    console,
    days_option,
    errors,
    fail,
    load_federation,
    print_json,
    reported,
    shown,
)
from fluvial.kafka import connect
from fluvial.wire.errors import FluvialError
from fluvial.wire.files import check_regular, read_bytes, replace_file
from fluvial.wire.layout import num_elements
from fluvial.wire.names import check_participant
from fluvial.wire.records import Task
from fluvial.wire.topics import RECORD_BYTES

if TYPE_CHECKING:
    from fluvial.edge.packages import Packages
    from fluvial.wire.task_file import TaskFile

NameArgument = Annotated[str, typer.Argument(metavar="TASK", help="The task.")]
ReasonOption = Annotated[str, typer.Option(help="Why, for everybody to read: it stands in the audit log.")]

_NOTHING = {"title": "", "rounds": 0, "quorum": 0, "target": 0}
"""Of a task whose file cannot be read."""

app = typer.Typer(
    no_args_is_help=True, help="Create, mend and end tasks, and let participants in, as the operator of the federation."
)


@app.command("create")
@reported
def create(
    file: Annotated[Path, typer.Argument(help="The task file, YAML or JSON.", exists=True, dir_okay=False)],
    package: PackageOption = None,
    data_dir: DataDirOption = DEFAULT,
) -> None:
    """Create a task: publish its first model, its agreement and the task itself, signed.

    A package is where its task file lies, or where --package says.
    """
    from deploy.acts.tasks import create_task
    from deploy.federation.keys import ServiceKeys
    from fluvial.wire.task_file import TaskFile
    from models.aggregation import precision

    directory, task_file = DataDirectory(data_dir), TaskFile.read(file)
    packages = _packages(file, task_file, package)
    federation, keys = directory.federation(), ServiceKeys.load_or_make(directory.keys)
    created = create_task(federation, keys, task_file, packages)
    size, digest = created.manifest.num_elements, created.manifest.model_digest.hex()
    console.print(f"task {created.task.task}: model version 0, {size:,} parameters, {digest[:16]}", markup=False)
    if (pinned := TaskFile.model_validate_json(created.task.specification).package) is not None:
        console.print(f"package {pinned.name}, digest {pinned.digest}: who takes part needs it", markup=False)
        folder = shlex.quote(str(packages.folders[0]))
        for job, stages in _jobs_without(directory, pinned.name).items():
            console.print(
                f"the job {job} was submitted without --package {folder}: its {' and '.join(stages)} will "
                "refuse this task's models until it is submitted again, with the package and --take-over",
                markup=False,
            )
    console.print(precision.in_words(created.manifest.fraction_bits), markup=False)
    note_training(task_file)


def note_training(task_file: TaskFile) -> None:
    """Say on standard error where the built-in trainer could not follow the task: further fields go to trainers as they
    are, so a typing error is no error here, and would end whoever takes part with it."""
    from fluvial.edge.training.config import TrainingConfig

    training = task_file.training
    if training.trainer:
        return
    try:
        TrainingConfig.from_mapping(training.model_dump())
    except ValueError as error:
        errors.print(f"note: {error}; so only participants with a trainer of their own can take part", markup=False)


@app.command("list")
@reported
def list_tasks(as_json: JsonOption = False, data_dir: DataDirOption = DEFAULT) -> None:
    """List the tasks of the federation."""
    found = [_summary(task, checked=as_json) for task in _tasks(data_dir)]
    if as_json:
        print_json(found)
        return
    columns = ("task", "status", "title", "rounds", "quorum", "target", "parameters", "created")
    table = Table(*columns)
    for task in found:
        table.add_row(*(escape(str(task.get(column, ""))) for column in columns))
    console.print(table)


@app.command("show")
@reported
def show(
    name: NameArgument,
    as_json: JsonOption = False,
    data_dir: DataDirOption = DEFAULT,
) -> None:
    """Show one task: its file as it was signed, and its model's tensors."""
    task = next((task for task in _tasks(data_dir) if task.task == name), None)
    if task is None:
        fail(f"there is no task {name}", "`fluvial task list` shows those that there are.")
    found = {
        **_summary(task, checked=True),
        "specification": _json(task.specification),
        "layout": [{"name": tensor.name, "shape": list(tensor.shape), "dtype": tensor.dtype} for tensor in task.layout],
        "base_digest": task.base_digest.hex(),
    }
    if as_json:
        print_json(found)
    else:
        console.console.print_json(data=found)


@app.command("update")
@reported
def update(
    file: Annotated[Path, typer.Argument(help="The task file with its new terms.", exists=True, dir_okay=False)],
    package: PackageOption = None,
    propose: Annotated[
        Path | None,
        typer.Option(help="Register nothing: write what further operators are to sign to this file.", dir_okay=False),
    ] = None,
    data_dir: DataDirOption = DEFAULT,
) -> None:
    """Register a task again with other terms, which hold from the next round on. Its model and windows stay.

    Terms of acceleration hold at once: whose acts count, what the gate demands, how requests are answered. What
    operators have signed under another policy and not enough of them yet is awaited anew.

    Terms that weaken a task which names operators (`approval`) need their signatures: --propose, then `fluvial task
    approve` by each of them, then `fluvial task register`.
    """
    from deploy.acts.tasks import propose_terms, update_task
    from fluvial.wire.task_file import TaskFile

    with acting(data_dir) as acts:
        task_file = TaskFile.read(file)
        packages = _packages(file, task_file, package)
        if propose is not None:
            replace_file(propose, propose_terms(acts, task_file, packages))
            console.print(f"{propose} awaits signatures: `fluvial task approve {propose}`", markup=False)
            return
        task = update_task(acts, task_file, packages)
    at_once = ", those of acceleration at once" if task_file.acceleration is not None else ""
    console.print(f"{task.task} has other terms from its next round on{at_once}", markup=False)
    note_training(task_file)


@app.command("approve")
@reported
def approve_terms(
    proposal: Annotated[Path, typer.Argument(help="What `task update --propose` wrote.", exists=True, dir_okay=False)],
    name: Annotated[str, typer.Option(help="The operator's name in the task's terms.")],
    key: Annotated[Path, typer.Option(help="The operator's private key.", exists=True, dir_okay=False)],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    federation: FederationOption = DEFAULT_FEDERATION,
) -> None:
    """Sign terms that another operator proposes, after showing what they change. The file then has the signature."""
    from fluvial.identity.keys import SigningKey
    from fluvial.registry.acts import OPERATOR
    from fluvial.registry.approval import approve, open_proposal, signers, weakened
    from fluvial.registry.reading import read_registry
    from fluvial.wire.canonical_json import canonical_json
    from fluvial.wire.task_file import TaskFile

    check_regular(proposal)  # which is replaced by the signed one
    loaded, sealed, signing = load_federation(federation), read_bytes(proposal, RECORD_BYTES), SigningKey.load(key)
    proposed = open_proposal(sealed, loaded)
    with closing(connect(loaded.brokers, OPERATOR)) as transport:
        known = read_registry(transport, loaded).task(proposed.task)
    if known is None:
        fail(f"there is no task {proposed.task}", "`fluvial task list` shows those that there are.")
    before, after = (TaskFile.model_validate_json(each.specification) for each in (known, proposed))
    if before.approval.operator_keys.get(name) != signing.public_key.hex():
        named = ", ".join(sorted(before.approval.operator_keys)) or "nobody"
        fail(f"{key} is not the key of the operator {name!r}", f"The task's terms name {named}.", Exit.USAGE)
    weaker = weakened(before, after)
    for field in (each for each in TaskFile.model_fields if getattr(before, each) != getattr(after, each)):
        console.print(f"{field}{' (weaker)' if field in weaker else ''}", markup=False)
        for sign, terms in (("-", before), ("+", after)):
            text = canonical_json(terms.model_dump(mode="json", include={field})[field])
            console.print(f"  {sign} {shown(text)}")
    if not yes:
        ask_consent(f"Sign these terms of {proposed.task} as {name}?")
    sealed = approve(sealed, signing, name)
    replace_file(proposal, sealed)
    signed, needed = signers(before.approval, sealed), before.approval.operators if weaker else 0
    console.print(f"signed by {', '.join(signed)}; {max(0, needed - len(signed))} are missing", markup=False)


@app.command("register")
@reported
def register_terms(
    proposal: Annotated[Path, typer.Argument(help="What the operators have signed.", exists=True, dir_okay=False)],
    data_dir: DataDirOption = DEFAULT,
) -> None:
    """Register terms that were proposed, once enough operators have signed them."""
    with acting(data_dir) as acts:
        task = acts.register_approved(read_bytes(proposal, RECORD_BYTES))
    console.print(f"{task.task} has other terms from its next round on", markup=False)


@app.command("pause")
@reported
def pause(name: NameArgument, reason: ReasonOption = "", data_dir: DataDirOption = DEFAULT) -> None:
    """Open no further round. The one that is open ends: it makes its model, or fails and is not opened again."""
    with acting(data_dir) as acts:
        acts.pause(name, reason)
    console.print(f"{name} pauses after its open round: `fluvial task resume {name}`", markup=False)


@app.command("resume")
@reported
def resume(name: NameArgument, data_dir: DataDirOption = DEFAULT) -> None:
    """Go on with a task that was paused, or finished before its last round."""
    with acting(data_dir) as acts:
        acts.resume(name)
    console.print(f"{name} goes on", markup=False)


@app.command("finish")
@reported
def finish(name: NameArgument, reason: ReasonOption = "", data_dir: DataDirOption = DEFAULT) -> None:
    """Make the open round the last."""
    with acting(data_dir) as acts:
        acts.finish(name, reason)
    console.print(f"{name} is finished after its open round", markup=False)


@app.command("remove")
@reported
def remove(
    name: NameArgument,
    reason: ReasonOption = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data_dir: DataDirOption = DEFAULT,
) -> None:
    """Withdraw a task, for good: its open round is given up at once, and participants are told.

    Models, verdicts and receipts stay in the log, where auditors look for them. The name is not used again.
    """
    with acting(data_dir) as acts:
        acts.task(name)
        if not yes:
            ask_consent(f"Give up the open round of {name}, and never open another?")
        acts.remove(name, reason)
    console.print(f"{name} is removed", markup=False)


@app.command("token")
@reported
def token(
    participant: Annotated[str, typer.Argument(help="Name of the participant that the token is for.")],
    valid_days: Annotated[float, days_option(told="Days until the token is void.")] = 7.0,
    shown: Annotated[
        bool, typer.Option("--shown", help="Of the kind that participants of the first release show to enrol.")
    ] = False,
    data_dir: DataDirOption = DEFAULT,
) -> None:
    """Issue a one-time token with which one participant can enrol. Prints the token and nothing else."""
    check_participant(participant)
    with acting(data_dir) as acts:
        print(acts.issue_tokens([participant], valid_days=valid_days, shown=shown)[participant])


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _jobs_without(directory: DataDirectory, package: str) -> dict[str, tuple[str, ...]]:
    """The jobs of this data directory that were not given the package, with the stages that need it."""
    from deploy.jobs.holders import holders, jobs_without, packages_given

    try:
        return jobs_without(holders(directory.federation()), package, packages_given(directory))
    except FluvialError:  # the task is created, whatever is known of the jobs
        return {}


def _packages(file: Path, task_file: TaskFile, named: list[Path] | None) -> Packages:
    """Those that were named, else the folder of the task's file, where it has a package."""
    from fluvial.edge.packages import Packages

    return Packages(named or ([file.absolute().parent] if task_file.package else []))


def _tasks(data_dir: Path) -> list[Task]:
    with acting(data_dir) as acts:
        return acts.registry().tasks()


def _summary(task: Task, *, checked: bool) -> dict[str, Any]:
    """What its file says. checked: and, of a file that cannot be read, why: such a task is to be mended or removed."""
    created = datetime.fromtimestamp(task.created_ms / 1000, UTC).isoformat(timespec="seconds")
    found = {"task": task.task, "status": task.status.value, "reason": task.reason}
    why = _unreadable(task.specification) if checked else ""
    stated = _json(task.specification)
    if why or not isinstance(stated, dict):
        return {**found, **_NOTHING, "created": created, "unreadable": why}
    terms = {name: stated.get(name, none) for name, none in _NOTHING.items()}
    return {**found, **terms, "parameters": num_elements(task.layout), "created": created}


def _unreadable(specification: str) -> str:
    from fluvial.wire.task_file import TaskFile

    try:
        TaskFile.model_validate_json(specification)
    except ValueError as error:
        return str(error)
    return ""
