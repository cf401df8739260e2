"""`fluvial access`: who may connect to the broker of a secure stack."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deploy.commands.common import DataDirOption
from deploy.federation.directory import DEFAULT, DataDirectory
from deploy.security.certificates import CERTIFICATE_DAYS
from fluvial.cli.common import JsonOption, console, days_option, print_json, reported
from fluvial.wire.files import read_bytes

app = typer.Typer(
    no_args_is_help=True, help="Let participants and auditors connect to a stack that was started with --secure."
)

_Name = Annotated[str, typer.Argument(metavar="NAME", help="The participant, or the auditor.")]
_Auditor = Annotated[bool, typer.Option("--auditor", help="An auditor, who reads everything and writes nothing.")]


@app.command("grant")
@reported
def grant(
    name: _Name,
    out: Annotated[Path, typer.Option("--out", help="A new folder for what is to be handed over.")],
    password: Annotated[
        bool, typer.Option("--password", help="It logs in with a password (SCRAM over TLS) instead of a certificate.")
    ] = False,
    auditor: _Auditor = False,
    asks: Annotated[
        bool,
        typer.Option(
            "--asks", help="It may also ask the released models. Whoever may do so can read the answers to all others."
        ),
    ] = False,
    request: Annotated[
        Path | None,
        typer.Option(
            help="A certificate request (PEM, PKCS #10) of theirs: then their key never leaves them.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    valid_days: Annotated[float, days_option(told="Days until the certificate expires.")] = CERTIFICATE_DAYS,
    data_dir: DataDirOption = DEFAULT,
) -> None:
    """Let somebody connect: writes federation.json and credentials into a folder, for that one alone."""
    from deploy.acts.access import grant_access

    if password and request is not None:
        raise ValueError("--password and --request are two ways to be recognised: choose one")
    if auditor and asks:
        raise ValueError("an auditor does not ask: --asks is for participants")
    wish = None if request is None else read_bytes(request)
    principal = grant_access(
        DataDirectory(data_dir),
        name,
        out,
        valid_days=valid_days,
        auditor=auditor,
        asks=asks,
        by_password=password,
        request=wish,
    )
    console.print(f"{principal} may connect; hand over the folder {out} on a way that nobody else reads", markup=False)
    if request is not None:
        console.print(f"its key is put beside, as {out / 'key.pem'}", markup=False)


@app.command("revoke")
@reported
def revoke(name: _Name, auditor: _Auditor = False, data_dir: DataDirOption = DEFAULT) -> None:
    """Take all rights away at once. The certificate never gets them back; `grant` issues another."""
    from deploy.acts.access import revoke_access

    principal = revoke_access(DataDirectory(data_dir), name, auditor=auditor)
    console.print(f"{principal} may do nothing any more", markup=False)


@app.command("list")
@reported
def list_access(as_json: JsonOption = False, data_dir: DataDirOption = DEFAULT) -> None:
    """List who may connect."""
    from deploy.acts.access import principals_with_access

    found = principals_with_access(DataDirectory(data_dir))
    if as_json:
        print_json(list(found))
        return
    for principal in found:
        console.print(principal, markup=False)
