"""What the checkout's verbs share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from fluvial.registry.acts import OperatorActs

DataDirOption = Annotated[
    Path,
    typer.Option(
        "--data-dir", envvar="FLUVIAL_DATA_DIR", help="Folder of the embedded stack: its data, keys and logs."
    ),
]


@contextmanager
def acting(data_dir: Path) -> Iterator[OperatorActs]:
    """The operator of the embedded federation, connected. Raises NotRunning, TransportUnavailable."""
    from deploy.federation.directory import DataDirectory
    from deploy.federation.keys import ServiceKeys
    from fluvial.kafka import connect
    from fluvial.registry.acts import OPERATOR, OperatorActs

    directory = DataDirectory(data_dir)
    federation, keys = directory.federation(), ServiceKeys.load_or_make(directory.keys)
    with closing(connect(federation.brokers, OPERATOR)) as transport:
        yield OperatorActs(transport, federation, keys.operator)
