"""`fluvial key`: keys of operators. A participant's is made when it enrols, the federation's own by `fluvial up`."""

from pathlib import Path
from typing import Annotated

import typer

from fluvial.cli.common import JsonOption, print_json, reported
from fluvial.identity.keys import SigningKey

app = typer.Typer(help="Make an operator's key, or show its public half.", no_args_is_help=True)

FileArgument = Annotated[
    Path, typer.Argument(help="The private key's file (PEM, Ed25519), readable by its owner alone.")
]


@app.command()
@reported
def new(file: FileArgument, json: JsonOption = False) -> None:
    """Make a key and print its public half, which stands in a task file (`operator_keys`). Never replaces a file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    key = SigningKey.generate()
    try:
        key.save(file)
    except FileExistsError as error:
        raise ValueError(f"{file} is there already; `fluvial key show {file}` prints its public half") from error
    _print(key, file, json)


@app.command()
@reported
def show(file: FileArgument, json: JsonOption = False) -> None:
    """Print the public half of a private key, in hexadecimal."""
    _print(SigningKey.load(file), file, json)


def _print(key: SigningKey, file: Path, json: bool) -> None:
    """The bare digits, for $(...)."""
    if json:
        print_json({"key": str(file), "public_key": key.public_key.hex()})
    else:
        typer.echo(key.public_key.hex())
