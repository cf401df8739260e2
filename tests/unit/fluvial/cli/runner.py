"""Runs verbs in this process. Typer's own runner makes every verb of the application anew for each call, a fifth of a
second for all of Fluvial's; here they are made once."""

from functools import cache
from typing import Any

import typer
from click.testing import CliRunner, Result


@cache
def command_of(app: typer.Typer) -> Any:
    """The command line of an application whose verbs no longer change."""
    return typer.main.get_command(app)


def invoke(app: typer.Typer, *arguments: str, **options: Any) -> Result:
    return CliRunner().invoke(command_of(app), list(arguments), **options)
