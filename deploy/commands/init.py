"""`fluvial init`: a task package to start from."""

from __future__ import annotations

import shlex
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from deploy.machine.jars import CHECKOUT
from fluvial.cli.common import Exit, console, fail, reported
from fluvial.edge.packages.importing import check_free
from fluvial.edge.packages.package import module_name
from fluvial.wire.files import replace_file

TEMPLATES = CHECKOUT / "deploy" / "templates"
FILES = ("task.yaml", "model.py", "data.py", "README.md")


class Template(StrEnum):
    """image: a convolutional network with BatchNorm; tabular: numbers and categories; series: a recurrent forecaster;
    adapters: a base that stays, and adapters that travel."""

    IMAGE = "image"
    TABULAR = "tabular"
    SERIES = "series"
    ADAPTERS = "adapters"


@reported
def init(
    name: Annotated[str, typer.Argument(help="Folder of the new package; its last part names package and task.")],
    template: Annotated[
        Template, typer.Option("--template", help="What kind of model and data it starts with.")
    ] = Template.IMAGE,
) -> None:
    """Write a small task package that runs as it is, on made-up data: task.yaml, model.py, data.py, README.md, and an
    empty folder data for a participant's own."""
    folder = Path(name).expanduser()
    package = folder.absolute().name
    module = module_name(package)
    check_free(module, str(folder.absolute()))
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        fail(
            f"{folder} is there already and not empty: a package is written into a folder of its own", status=Exit.USAGE
        )
    (folder / "data").mkdir(parents=True, exist_ok=True)  # a participant's own, which is no part of the package
    for file in FILES:
        text = (TEMPLATES / template / file).read_text()
        for word, meant in (("MODULE", module), ("NAME", package), ("PATH", shlex.quote(str(folder)))):
            text = text.replace(word, meant)
        replace_file(folder / file, text)
    console.print(f"{folder}: {', '.join(FILES)}; its data are made up. Try it:", markup=False)
    console.print(f"  fluvial simulate {shlex.quote(str(folder))}", markup=False)
