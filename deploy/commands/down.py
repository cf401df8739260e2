"""`fluvial down`: stop the embedded stack."""

from __future__ import annotations

from deploy.commands.common import DataDirOption
from deploy.federation.directory import DEFAULT
from deploy.local.detached import stop_detached
from fluvial.cli.common import console, reported


@reported
def down(data_dir: DataDirOption = DEFAULT) -> None:
    """Stop the stack that `fluvial up` started; its data stays."""
    stop_detached(data_dir)
    console.print(f"stopped; the data stays in {data_dir}", markup=False)
