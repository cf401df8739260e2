"""Creating the demonstration's task, in a process that has torch, which the initial model takes.

main(["--root", DIR, "--task-file", FILE, "--package", FOLDER])
"""

from __future__ import annotations

import argparse
from pathlib import Path

from deploy.acts.tasks import create_task
from deploy.federation.directory import DataDirectory
from deploy.federation.keys import ServiceKeys
from fluvial.edge.packages import Packages
from fluvial.wire.errors import FluvialError
from fluvial.wire.task_file import TaskFile


def main() -> None:
    parser = argparse.ArgumentParser(description="Create the task of the demonstration.")
    parser.add_argument("--root", type=Path, required=True, help="the data directory of the stack that runs")
    parser.add_argument("--task-file", type=Path, required=True)
    parser.add_argument("--package", type=Path, action="append", default=[])
    arguments = parser.parse_args()
    directory = DataDirectory(arguments.root)
    keys = ServiceKeys.load_or_make(directory.keys)
    try:
        create_task(directory.federation(), keys, TaskFile.read(arguments.task_file), Packages(arguments.package))
    except (FluvialError, ValueError) as error:
        raise SystemExit(f"error: {error}") from error
