"""What the checkout's verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DataDirOption = Annotated[
    Path,
    typer.Option(
        "--data-dir", envvar="FLUVIAL_DATA_DIR", help="Folder of the embedded stack: its data, keys and logs."
    ),
]
