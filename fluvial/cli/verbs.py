"""The verbs of the command `fluvial`. The client's are named here; those of a cluster come from whatever project
declares them.

A project adds verbs in the entry-point group `fluvial.commands`. The entry point's name is the verb, with a dot for one
inside a group (`model.replay`); its object is a `typer.Typer` or a function that Typer can call. So the client never
imports the cluster's side, and a command imports no more than its own verb.
"""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer

import fluvial
from fluvial.cli.common import errors
from fluvial.cli.declared import Declared, installed

app = typer.Typer(
    name="fluvial",
    help="Governed federated learning as a stream.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
)
_groups: dict[str, typer.Typer] = {}
_CLIENT = {
    "enrol": "fluvial.cli.enrol:enrol",
    "participate": "fluvial.cli.participate:participate",
    "withdraw": "fluvial.cli.enrolled:withdraw",
    "rotate-key": "fluvial.cli.enrolled:rotate_key",
    "key": "fluvial.cli.key:app",
    "measure": "fluvial.cli.measure:measure",
    "infer": "fluvial.cli.infer:infer",
    "serve": "fluvial.cli.serve:serve",
    "rounds": "fluvial.cli.rounds:app",
    "model": "fluvial.cli.model:app",
    "model.history": "fluvial.cli.model_history:history",
    "model.get": "fluvial.cli.model_export:get",
    "model.push": "fluvial.cli.model_export:push",
    "release": "fluvial.cli.release:app",
    "audit": "fluvial.cli.audit:app",
    "audit.verify": "fluvial.cli.audit_proofs:verify",
    "audit.check-history": "fluvial.cli.audit_proofs:check_history",
    "audit.log": "fluvial.cli.audit_proofs:verify_log",
    "audit.prove": "fluvial.cli.audit_proofs:prove",
}


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


def mount_for(words: Sequence[str], declared: Iterable[Declared] | None = None) -> None:
    """Mount what a command line needs: the verb that it names, of a group the one in it; nothing for the version; for
    help and typing errors, which name none, what all of them say of themselves; and all for no words, as when a shell
    completes some. declared: verbs of projects; without it those that are installed, which are not looked for where the
    client has the verb."""
    verb, inner = (*(word for word in words if not word.startswith("-")), "", "")[:2]
    if not verb and "--version" in words:
        return
    known = list(map(Declared._make, _CLIENT.items()))
    mounted = [each for each in known if each.name in (verb, f"{verb}.{inner}")]
    for found in mounted:
        mount(found)
    if len(mounted) > 1 or (mounted and (verb not in _groups or inner in _names_of(_groups[verb]))):
        return
    others = installed() if declared is None else declared
    known += sorted(others, key=lambda entry: (entry.name.count("."), entry.name))
    named = [each for each in known if each.name.partition(".")[0] == verb]
    add = announce if words and not named else mount
    for found in named or known:
        if found not in mounted:
            add(found)


def _names_of(group: typer.Typer) -> set[str]:
    """Of the commands in it."""
    named = [(each.name, each.callback) for each in group.registered_commands]
    return {name or typer.main.get_command_name(verb.__name__) for name, verb in named if verb is not None}


def announce(found: Declared) -> None:
    """Adds what a list of verbs has of one: its name, and what it says of itself."""
    from fluvial.cli.words import words_of

    group, _, _ = found.name.rpartition(".")
    if group in _groups:
        return
    words = words_of(found) if not group else None
    if words is None:
        mount(found)
    elif words.is_group:
        _groups[found.name] = typer.Typer()
        app.add_typer(_groups[found.name], name=found.name, help=words.help)
    else:
        app.command(found.name, help=words.help)(_not_loaded)


def _not_loaded() -> None:
    """In the place of a verb that no command line names."""


def mount(found: Declared) -> None:
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
