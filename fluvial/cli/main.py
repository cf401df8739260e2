"""The command `fluvial`. The client's verbs are mounted here; those of a cluster come from whatever project declares
them.

A project adds verbs in the entry-point group `fluvial.commands`. The entry point's name is the verb, with a dot for one
inside a group (`model.replay`); its object is a `typer.Typer` or a function that Typer can call. So the client never
imports the cluster's side.
"""

import sys
from importlib.metadata import EntryPoint, entry_points
from typing import Annotated, Any

import typer

import fluvial
from fluvial.cli import audit, enrol, infer, model, participate, release, rounds, serve
from fluvial.cli.common import Exit, errors, silence_output
from fluvial.cli.interruption import interruptible

GROUP = "fluvial.commands"

app = typer.Typer(
    name="fluvial",
    help="Governed federated learning as a stream.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
_groups = {"rounds": rounds.app, "model": model.app, "release": release.app, "audit": audit.app}


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"fluvial {fluvial.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


app.command("enrol")(enrol.enrol)
app.command("participate")(participate.participate)
app.command("infer")(infer.infer)
app.command("serve")(serve.serve)
for _name, _group in _groups.items():
    app.add_typer(_group, name=_name)


def mount(found: EntryPoint) -> None:
    """Adds one declared verb. One that cannot be imported is reported and left out: it takes no other verb down."""
    try:
        verb: Any = found.load()
    except Exception as error:
        errors.print(f"warning: the command {found.name} ({found.value}) cannot be loaded: {error}", markup=False)
        return
    group_name, _, name = found.name.rpartition(".")
    group = app
    if group_name:
        if group_name not in _groups:
            _groups[group_name] = typer.Typer(no_args_is_help=True)
            app.add_typer(_groups[group_name], name=group_name)
        group = _groups[group_name]
    if isinstance(verb, typer.Typer):
        if not group_name:
            _groups[name] = verb
        group.add_typer(verb, name=name)
    else:
        group.command(name)(verb)


def run() -> None:
    """Entry point of the script. Ends the process: SIGTERM as Ctrl-C does, and without a word if nobody reads on."""
    status: Any = Exit.SUCCESS
    try:
        with interruptible():
            for found in sorted(entry_points(group=GROUP), key=lambda entry: (entry.name.count("."), entry.name)):
                mount(found)
            app()
    except KeyboardInterrupt:
        status = Exit.INTERRUPTED
    except SystemExit as ending:
        status = ending.code
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        silence_output()
        status = Exit.BROKEN_PIPE
    sys.exit(status)
