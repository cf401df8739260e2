"""Where a participant's files lie when nobody says otherwise."""

from pathlib import Path
from typing import Annotated

import typer

HOME = Path(".fluvial")

KeyOption = Annotated[
    Path | None, typer.Option("--key", help="The private key's file; without it .fluvial/keys/NAME.pem.")
]
OutboxOption = Annotated[
    Path | None, typer.Option("--outbox", help="The outbox's file; without it .fluvial/outbox/NAME.sqlite.")
]


def key_path(name: str) -> Path:
    """The participant's private key. Raises ValueError for a name that is not a plain file name."""
    return HOME / "keys" / f"{_plain(name)}.pem"


def outbox_path(name: str) -> Path:
    """The participant's outbox. Raises ValueError for a name that is not a plain file name."""
    return HOME / "outbox" / f"{_plain(name)}.sqlite"


def _plain(name: str) -> str:
    if not name or name.startswith(".") or Path(name).name != name:
        raise ValueError(f"{name!r} cannot be the name of a file; name the files with --key and --outbox")
    return name
