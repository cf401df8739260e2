"""`fluvial access`: who may connect to the broker of a secure stack."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deploy.commands.common import DataDirOption
from deploy.local.directory import DEFAULT, DataDirectory
from deploy.security.certificates import CERTIFICATE_DAYS
from fluvial.cli.common import JsonOption, console, print_json, reported

app = typer.Typer(no_args_is_help=True, help="Let participants connect to a stack that was started with --secure.")

_Participant = Annotated[str, typer.Argument(help="Name of the participant.")]


@app.command("grant")
@reported
def grant(
    participant: _Participant,
    out: Annotated[Path, typer.Option("--out", help="A new folder for what the participant is to be given.")],
    password: Annotated[
        bool, typer.Option("--password", help="It logs in with a password (SCRAM over TLS) instead of a certificate.")
    ] = False,
    asks: Annotated[
        bool,
        typer.Option(
            "--asks", help="It may also ask the released models. Whoever may do so can read the answers to all others."
        ),
    ] = False,
    request: Annotated[
        Path | None,
        typer.Option(
            help="A certificate request (PEM, PKCS #10) of the participant's: then its key never leaves it.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    valid_days: Annotated[
        float, typer.Option(min=0.001, help="Days until the certificate expires.")
    ] = CERTIFICATE_DAYS,
    data_dir: DataDirOption = DEFAULT,
) -> None:
    """Let a participant connect: writes federation.json and its credentials into a folder, for it alone."""
    from deploy.local.access import grant_access

    if password and request is not None:
        raise ValueError("--password and --request are two ways to be recognised: choose one")
    wish = None if request is None else request.read_bytes()
    principal = grant_access(
        DataDirectory(data_dir), participant, out, valid_days=valid_days, asks=asks, by_password=password, request=wish
    )
    console.print(f"{principal} may connect; hand over the folder {out} on a way that nobody else reads", markup=False)
    if request is not None:
        console.print(f"the participant puts its key beside, as {out / 'key.pem'}", markup=False)


@app.command("revoke")
@reported
def revoke(participant: _Participant, data_dir: DataDirOption = DEFAULT) -> None:
    """Take a participant's rights away at once. Its certificate never gets them back; `grant` issues another."""
    from deploy.local.access import revoke_access

    console.print(f"{revoke_access(DataDirectory(data_dir), participant)} may do nothing any more", markup=False)


@app.command("list")
@reported
def list_access(as_json: JsonOption = False, data_dir: DataDirOption = DEFAULT) -> None:
    """List the participants that may connect."""
    from deploy.local.access import principals_with_access

    found = principals_with_access(DataDirectory(data_dir))
    if as_json:
        print_json(list(found))
        return
    for principal in found:
        console.print(principal, markup=False)
