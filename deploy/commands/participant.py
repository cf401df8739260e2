"""`fluvial participant`: what the operator of a federation does about its participants."""

from __future__ import annotations

from typing import Annotated

import typer

from deploy.commands.common import DataDirOption
from deploy.federation.directory import DEFAULT, DataDirectory
from fluvial.cli.common import console, reported

app = typer.Typer(no_args_is_help=True, help="Act upon participants, as the operator of the federation.")


@app.callback()
def _group() -> None:
    """Keeps `revoke` a verb of its own."""


@app.command("revoke")
@reported
def revoke(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The participant.")],
    data_dir: DataDirOption = DEFAULT,
) -> None:
    """Take a participant's key out of force, for good: what it signs from now on is refused. It is a leaf of the audit
    log."""
    from deploy.acts import revocation

    directory = DataDirectory(data_dir)
    revocation.revoke(directory, name)
    console.print(f"{name} is revoked", markup=False)
    if directory.credentials.exist:
        console.print(f"it may still connect: fluvial access revoke {name}{directory.option} ends that", markup=False)
