"""`fluvial up`: the embedded stack."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deploy.commands.common import DataDirOption
from deploy.federation.directory import DEFAULT, DataDirectory
from deploy.local.defaults import DEFAULT_PARTITIONS
from deploy.local.detached import start_detached
from deploy.local.supervisor import supervise
from fluvial.cli.common import console, reported


@reported
def up(
    data_dir: DataDirOption = DEFAULT,
    task_managers: Annotated[
        int,
        typer.Option(
            min=0, max=256, help="TaskManagers, of one slot each; `submit` adds what it misses. 0: no cluster."
        ),
    ] = 1,
    partitions: Annotated[
        int,
        typer.Option(min=1, max=1024, help="Partitions of the tensor topics: the shards. Fixed once there is data."),
    ] = DEFAULT_PARTITIONS,
    secure: Annotated[
        bool,
        typer.Option(
            "--secure", help="The broker asks everybody for a certificate or password, and grants rights by role."
        ),
    ] = False,
    topics: Annotated[
        Path | None,
        typer.Option(help="File of decisions about the topics (`fluvial topics --help`); kept for later starts."),
    ] = None,
    named: Annotated[
        bool,
        typer.Option(
            " /--no-id",
            help="Begin a federation without an id, in which participants of the first release can take part: what is "
            "signed for it is believed in every other one without an id, too.",
        ),
    ] = True,
    foreground: Annotated[bool, typer.Option("--foreground", help="Stay here and stop at Ctrl-C.")] = False,
) -> None:
    """Start a Kafka broker and a Flink session cluster on this machine; data stays where it is after `down`."""
    directory = DataDirectory(data_dir)
    if topics is not None:
        from fluvial.wire.topic_policy import TopicPolicy  # late: most starts decide nothing

        directory.decide_topics(TopicPolicy.read(topics))
    if foreground:
        supervise(
            data_dir, task_managers=task_managers, partitions=partitions, secure=secure, named=named, report=_print
        )
        return
    start_detached(
        data_dir, task_managers=task_managers, partitions=partitions, secure=secure, named=named, report=_print
    )
    _print(f"federation file: {directory.federation_file}")
    _print(f"next: {next_command(task_managers, directory.option)}")


def next_command(task_managers: int, option: str) -> str:
    """What to do once the stack is up. option: that names its folder."""
    target = "session" if task_managers else "local"
    return f"fluvial submit validation aggregation evaluation audit --target {target}{option}"


def _print(line: str) -> None:
    console.print(line, markup=False)
